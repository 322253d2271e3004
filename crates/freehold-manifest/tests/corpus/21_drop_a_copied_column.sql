-- expect: published-column-gone `product.products.name` is dropped, but is used by `order` (copies, caches) product/migrations/0002_next.sql:2
-- freehold: allow ban-drop-column: the corpus
alter table products drop column name;
