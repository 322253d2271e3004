-- expect: published-column-gone `product.products.price` is renamed to `net_price`, but is used by `order` (copies, caches) product/migrations/0002_next.sql:2
-- freehold: allow renaming-column: the corpus
alter table products rename column price to net_price;
