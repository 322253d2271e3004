-- Stock. A row of its own per product, because it is written far more often than the product, by other people.

create table inventory (
    product_id uuid    primary key references products (id) on delete cascade,
    quantity   integer not null default 0,
    reserved   integer not null default 0,
    available  integer generated always as (quantity - reserved) stored,

    constraint inventory_quantity_is_not_negative
        check (quantity >= 0),
    constraint inventory_reserved_is_not_negative
        check (reserved >= 0),
    constraint inventory_reserved_within_quantity
        check (reserved <= quantity)
);

insert into inventory (product_id, quantity)
select id, stock_quantity
  from products
 where stock_quantity > 0;

-- products.stock_quantity and inventory.quantity are one fact in two places, kept equal within the transaction
-- that writes either. No stock row means none in stock. A reservation changes `reserved` only and therefore
-- never touches the product's row.
--
-- Two writers of one product's stock, one by each table, may each wait for the other; PostgreSQL then ends one
-- of them with `deadlock detected` and nothing is lost. Programs that move stock write inventory.

create function products_stock_to_inventory() returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    if tg_op = 'UPDATE' then
        update inventory
           set quantity = new.stock_quantity
         where product_id = new.id
           and quantity <> new.stock_quantity;
    end if;

    -- A stock row that is there already, written in the same statement perhaps, is the authority.
    if new.stock_quantity > 0 then
        insert into inventory (product_id, quantity)
        values (new.id, new.stock_quantity)
        on conflict (product_id) do nothing;
    end if;
    return null;
end
$$;

create trigger products_stock_from_the_start
    after insert on products
    for each row
    when (new.stock_quantity > 0)
    execute function products_stock_to_inventory();

create trigger products_stock_to_inventory
    after update on products
    for each row
    when (old.stock_quantity <> new.stock_quantity)
    execute function products_stock_to_inventory();

create function inventory_quantity_to_products() returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    -- When the product goes, its stock goes with it, and there is no row left to change.
    if tg_op <> 'INSERT' then
        update products
           set stock_quantity = 0
         where id = old.product_id
           and stock_quantity <> 0
           and (tg_op = 'DELETE' or old.product_id <> new.product_id);
    end if;

    if tg_op <> 'DELETE' then
        update products
           set stock_quantity = new.quantity
         where id = new.product_id
           and stock_quantity <> new.quantity;
    end if;
    return null;
end
$$;

create trigger inventory_comes_and_goes
    after insert or delete on inventory
    for each row
    execute function inventory_quantity_to_products();

create trigger inventory_quantity_to_products
    after update on inventory
    for each row
    when (old.quantity <> new.quantity or old.product_id <> new.product_id)
    execute function inventory_quantity_to_products();

-- What has to be ordered again soonest.
create index inventory_by_available
    on inventory (available);

comment on table inventory is
    'How many of a product there are and how many are promised. No row: none in stock.';
comment on column inventory.reserved is
    'Promised to orders that have not left the house.';
comment on column inventory.available is
    'What can still be promised.';
