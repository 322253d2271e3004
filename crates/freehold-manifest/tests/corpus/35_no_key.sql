-- expect: published-key-changed `product.products` has no primary key any more, and was promised with `id`, but is used by `order`
-- expect: missing-key products
alter table products drop constraint products_pkey;
