-- Which pieces are promised to which order. inventory.reserved is the sum of what is `reserved` here; both change in
-- one transaction.

create table stock_reservations (
    order_id_ref uuid    not null,
    -- No foreign key: what was promised or sold of a product that is withdrawn stays on the books.
    product_id   uuid    not null,
    quantity     integer not null,
    state        text    not null default 'reserved',

    primary key (order_id_ref, product_id),
    constraint stock_reservations_quantity_is_positive
        check (quantity > 0),
    -- reserved: set when the order asks. Next: released, when the order is rejected; sold, when it is confirmed.
    -- sold: next: returned, when the confirmed order is cancelled. A cancellation that overtakes the sale makes
    -- returned of reserved, and the sale then finds nothing to sell.
    constraint stock_reservations_state_is_known
        check (state in ('reserved', 'released', 'sold', 'returned'))
);

-- What is promised of a product, or was sold of it?
create index stock_reservations_by_product
    on stock_reservations (product_id, state);

comment on table stock_reservations is
    'Which pieces are promised to which order, and what became of them; one row per order and product.';
comment on column stock_reservations.order_id_ref is
    'An order of the order service; its saga asks and tells.';
