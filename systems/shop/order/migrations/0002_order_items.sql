-- Order lines, and the order's total that follows from them.

create table order_items (
    id             uuid           primary key default gen_random_uuid(),
    order_id       uuid           not null references orders (id) on delete cascade,
    product_id_ref uuid           not null,
    product_name   text           not null,
    unit_price     numeric(12, 2) not null,
    quantity       integer        not null,
    subtotal       numeric(14, 2) not null generated always as (unit_price * quantity) stored,

    constraint order_items_price_is_an_amount
        check (unit_price between 0 and 9999999999.99),
    -- The bound keeps a subtotal inside its column for every price up to a million.
    constraint order_items_quantity_is_1_to_100000
        check (quantity between 1 and 100000)
);

create index order_items_by_order
    on order_items (order_id);

-- Refreshing product_name starts from the product.
create index order_items_by_product
    on order_items (product_id_ref);

-- The total is arithmetic, so the database does it: sum of the lines + shipping_fee.
--
-- The order's row is locked before its lines are added up, in a statement of its own: whoever waited for the
-- lock adds up what the other one committed. A client that sends the right total causes no second write.

create function order_items_total() returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    perform
       from orders o
      where o.id in (select order_id from touched)
      order by o.id
        for no key update;

    update orders o
       set total_amount = o.shipping_fee + t.lines
      from (
          select touched_order.order_id, coalesce(sum(i.subtotal), 0) as lines
            from (select distinct order_id from touched) touched_order
            left join order_items i on i.order_id = touched_order.order_id
           group by touched_order.order_id
      ) t
     where o.id = t.order_id
       and o.total_amount <> o.shipping_fee + t.lines;
    return null;
end
$$;

create trigger order_items_total_after_insert
    after insert on order_items
    referencing new table as touched
    for each statement
    execute function order_items_total();

create trigger order_items_total_after_delete
    after delete on order_items
    referencing old table as touched
    for each statement
    execute function order_items_total();

-- By row, with a condition: refreshing product_name in ten thousand lines must not touch an order.
create function order_items_total_of_changed() returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    perform
       from orders o
      where o.id in (old.order_id, new.order_id)
      order by o.id
        for no key update;

    update orders o
       set total_amount = o.shipping_fee + t.lines
      from (
          select o.id, coalesce(sum(i.subtotal), 0) as lines
            from orders o
            left join order_items i on i.order_id = o.id
           where o.id in (old.order_id, new.order_id)
           group by o.id
      ) t
     where o.id = t.id
       and o.total_amount <> o.shipping_fee + t.lines;
    return null;
end
$$;

create trigger order_items_total_after_update
    after update on order_items
    for each row
    when (old.subtotal <> new.subtotal or old.order_id <> new.order_id)
    execute function order_items_total_of_changed();

-- A client that changes the fee or writes a total of its own gets the sum. An order without lines keeps the
-- total it is given. The triggers above have done the sum already: depth 0 is a statement of a client.
create function orders_total() returns trigger
    language plpgsql
    set search_path from current
as $$
declare
    lines numeric;
begin
    select sum(subtotal)
      into lines
      from order_items
     where order_id = new.id;

    if lines is not null then
        new.total_amount := new.shipping_fee + lines;
    end if;
    return new;
end
$$;

create trigger orders_total
    before update on orders
    for each row
    when (pg_trigger_depth() = 0
          and (old.total_amount <> new.total_amount or old.shipping_fee <> new.shipping_fee))
    execute function orders_total();

comment on table order_items is
    'What was bought.';
comment on column order_items.product_name is
    'The product''s name, kept current from the product service.';
comment on column order_items.unit_price is
    'The price on the day, per piece, after any discount. Filled from the product service unless the client brings one; then left alone.';
