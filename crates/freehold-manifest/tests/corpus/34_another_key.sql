-- expect: published-key-changed `product.products` has the primary key `name`, and was promised with `id`, but is used by `order` (copies, refers to) product/migrations/0002_next.sql:2
-- freehold: allow adding-serial-primary-key-field: the corpus
alter table products drop constraint products_pkey, add primary key (name);
