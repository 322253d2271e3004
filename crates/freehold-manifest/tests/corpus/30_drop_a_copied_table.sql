-- expect: published-table-gone `product.products` is dropped, but is used by `order` (copies, refers to) product/migrations/0002_next.sql:2
-- freehold: allow ban-drop-table: the corpus
drop table products;
