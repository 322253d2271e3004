-- Orders: the root of the aggregate.

create sequence order_numbers;

create table orders (
    id           uuid           primary key default gen_random_uuid(),
    user_id_ref  uuid           not null,
    -- At least six digits and as many more as it takes.
    order_number text           not null
        default 'SO-' || to_char(now() at time zone 'utc', 'YYYY') || '-'
                      || to_char(nextval('order_numbers'), 'FM9999999999000000'),
    shipping_fee numeric(12, 2) not null default 0,
    total_amount numeric(14, 2) not null default 0,
    status       text           not null default 'pending',
    created_at   timestamptz    not null default now(),
    updated_at   timestamptz    not null default now(),

    constraint orders_number_key
        unique (order_number),
    constraint orders_number_is_a_code
        check (order_number ~ '^[A-Za-z0-9][A-Za-z0-9-]{0,39}$'),
    -- The upper bounds also keep NaN out, which PostgreSQL holds to be greater than every number.
    constraint orders_shipping_fee_is_an_amount
        check (shipping_fee between 0 and 9999999999.99),
    constraint orders_total_is_an_amount
        check (total_amount between 0 and 999999999999.99),
    constraint orders_status_is_known
        check (status in ('pending', 'confirmed', 'rejected', 'paid', 'shipped', 'delivered', 'cancelled'))
);

alter sequence order_numbers
    owned by orders.order_number;

-- A customer's orders, newest first.
create index orders_by_user
    on orders (user_id_ref, created_at desc);

-- The work list: the oldest order in a state.
create index orders_by_status
    on orders (status, created_at);

-- The whole list, newest first.
create index orders_by_time
    on orders (created_at desc);

comment on table orders is
    'One row per order: the root of the aggregate.';
comment on column orders.user_id_ref is
    'Who buys: a row of the user service. Kept when the account is deleted.';
comment on column orders.order_number is
    'What people call the order. Given by the database unless the client brings one.';
comment on column orders.total_amount is
    'The sum of the lines'' subtotals plus shipping_fee, kept so by the database while there are lines.';
