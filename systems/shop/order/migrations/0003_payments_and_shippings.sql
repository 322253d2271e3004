-- How an order is paid, where it is sent, and when it needs both.

create table order_payments (
    id             uuid           primary key default gen_random_uuid(),
    order_id       uuid           not null references orders (id) on delete cascade,
    payment_method text           not null,
    payment_status text           not null default 'pending',
    transaction_id text,
    amount         numeric(14, 2) not null,
    paid_at        timestamptz,
    created_at     timestamptz    not null default now(),

    constraint order_payments_one_per_order
        unique (order_id),
    -- One payment of the provider pays one order, however often a webhook is delivered.
    constraint order_payments_transaction_key
        unique (transaction_id),
    constraint order_payments_transaction_is_given
        check (transaction_id ~ '^[^[:space:]]{1,200}$'),
    constraint order_payments_method_is_known
        check (payment_method in ('card', 'paypal', 'bank_transfer', 'invoice', 'cash')),
    constraint order_payments_status_is_known
        check (payment_status in ('pending', 'paid', 'failed', 'refunded')),
    constraint order_payments_amount_is_an_amount
        check (amount between 0 and 999999999999.99),
    constraint order_payments_paid_has_a_time
        check ((payment_status in ('paid', 'refunded')) = (paid_at is not null))
);

-- What is still to be paid, oldest first.
create index order_payments_by_status
    on order_payments (payment_status, created_at);

create table order_shippings (
    id              uuid primary key default gen_random_uuid(),
    order_id        uuid not null references orders (id) on delete cascade,
    recipient_name  text not null,
    address_line1   text not null,
    address_line2   text,
    city            text not null,
    state           text,
    postal_code     text,
    country         text not null,
    tracking_number text,
    carrier         text,
    shipping_status text not null default 'pending',

    constraint order_shippings_one_per_order
        unique (order_id),
    constraint order_shippings_recipient_is_given
        check (btrim(recipient_name) <> '' and length(recipient_name) <= 200),
    constraint order_shippings_line1_is_given
        check (btrim(address_line1) <> '' and length(address_line1) <= 200),
    constraint order_shippings_city_is_given
        check (btrim(city) <> '' and length(city) <= 100),
    constraint order_shippings_country_is_given
        check (btrim(country) <> '' and length(country) <= 100),
    constraint order_shippings_status_is_known
        check (shipping_status in ('pending', 'packed', 'shipped', 'delivered', 'returned', 'cancelled')),
    constraint order_shippings_tracking_names_its_carrier
        check (tracking_number is null or carrier is not null)
);

-- The packing table's list.
create index order_shippings_by_status
    on order_shippings (shipping_status);

-- "Where is my parcel?"
create index order_shippings_by_tracking
    on order_shippings (tracking_number);

-- An order may be opened empty and filled; it may not move on empty. Checked at commit, so that the order and
-- its parts can be written in any order within a transaction.
create function orders_are_complete() returns trigger
    language plpgsql
    set search_path from current
as $$
declare
    -- The row may have changed again, or be gone, since the trigger was queued.
    the_order orders;
    missing   text;
begin
    select *
      into the_order
      from orders
     where id = case tg_table_name when 'orders' then (to_jsonb(new) ->> 'id')::uuid
                                   else (to_jsonb(old) ->> 'order_id')::uuid end;

    missing := case
        when the_order.status in ('confirmed', 'paid', 'shipped', 'delivered')
             and not exists (select from order_items where order_id = the_order.id)
            then 'line'
        when the_order.status = 'paid'
             and not exists (select from order_payments where order_id = the_order.id)
            then 'payment'
        when the_order.status in ('shipped', 'delivered')
             and not exists (select from order_shippings where order_id = the_order.id)
            then 'shipping'
    end;

    if missing is not null then
        raise exception 'an order that is % needs a %', the_order.status, missing
            using errcode = 'check_violation',
                  constraint = 'orders_are_complete',
                  table = 'orders',
                  schema = tg_table_schema,
                  column = 'status';
    end if;
    return null;
end
$$;

create constraint trigger orders_are_complete_on_insert
    after insert on orders
    deferrable initially deferred
    for each row
    when (new.status in ('confirmed', 'paid', 'shipped', 'delivered'))
    execute function orders_are_complete();

create constraint trigger orders_are_complete_on_update
    after update on orders
    deferrable initially deferred
    for each row
    when (old.status <> new.status and new.status in ('confirmed', 'paid', 'shipped', 'delivered'))
    execute function orders_are_complete();

create constraint trigger order_items_leave_no_empty_order
    after delete on order_items
    deferrable initially deferred
    for each row
    execute function orders_are_complete();

create constraint trigger order_payments_leave_no_unpaid_order
    after delete on order_payments
    deferrable initially deferred
    for each row
    execute function orders_are_complete();

create constraint trigger order_shippings_leave_no_unsent_order
    after delete on order_shippings
    deferrable initially deferred
    for each row
    execute function orders_are_complete();

comment on table order_payments is
    'How the order is paid; one payment per order.';
comment on column order_payments.transaction_id is
    'The payment provider''s number for it.';
comment on table order_shippings is
    'Where the order is sent; one shipment per order. The address is a copy on purpose: it is where this parcel went.';
