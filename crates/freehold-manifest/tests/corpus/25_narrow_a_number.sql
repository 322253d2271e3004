-- expect: published-column-retyped `product.products.price` becomes `numeric(8,2) not null`, and was promised as `numeric(12,2) not null`, but is used by `order` (copies, caches) product/migrations/0002_next.sql:2
-- freehold: allow changing-column-type: the corpus
alter table products alter column price type numeric(8, 2);
