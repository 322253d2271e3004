-- How often a product was sold: a counter that only adds and subtracts. It is right because every message takes effect
-- once; nothing here remembers which orders it has counted.

create table sales_figures (
    product_id uuid   primary key,
    orders     bigint not null default 0,
    units      bigint not null default 0
);

comment on table sales_figures is
    'Confirmed orders that were not cancelled, and the pieces in them, by product. Counted from what the order service tells.';
