-- What is sold.

create table products (
    id             uuid           primary key default gen_random_uuid(),
    category_id    uuid           not null references categories (id),
    name           text           not null,
    description    text,
    price          numeric(12, 2) not null,
    sku            text           not null,
    stock_quantity integer        not null default 0,
    created_at     timestamptz    not null default now(),
    updated_at     timestamptz    not null default now(),

    constraint products_name_is_given
        check (btrim(name) <> '' and length(name) <= 200),
    -- The upper bound also keeps NaN out, which PostgreSQL holds to be greater than every number.
    constraint products_price_is_an_amount
        check (price between 0 and 9999999999.99),
    constraint products_sku_key
        unique (sku),
    -- Upper case only, so that unique means unique to a person too.
    constraint products_sku_is_a_code
        check (sku ~ '^[A-Z0-9][A-Z0-9._-]{0,63}$'),
    constraint products_stock_is_not_negative
        check (stock_quantity >= 0)
);

-- A category's page, in the order of names.
create index products_by_category
    on products (category_id, name);

-- Search as you type: name=like.Cha*
create index products_name_prefix
    on products (name text_pattern_ops);

create table product_images (
    id            uuid    primary key default gen_random_uuid(),
    product_id    uuid    not null references products (id) on delete cascade,
    image_url     text    not null,
    display_order integer not null default 0,

    constraint product_images_url_is_a_url
        check (length(image_url) <= 2000 and image_url ~ '^(https?://|/)[^[:space:]]+$'),
    constraint product_images_order_is_not_negative
        check (display_order >= 0),
    -- Checked at the end of a statement, so that one statement may swap two pictures.
    constraint product_images_one_per_place
        unique (product_id, display_order)
        deferrable initially immediate
);

comment on table products is
    'One row per thing that can be bought.';
comment on column products.price is
    'Per piece, in the one currency of the shop.';
comment on column products.stock_quantity is
    'Always equal to inventory.quantity: pieces in the house, promised ones included.';
comment on table product_images is
    'Pictures of a product, in the order they are shown.';
