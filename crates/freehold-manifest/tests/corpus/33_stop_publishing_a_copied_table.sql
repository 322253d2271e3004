-- manifest: publishes = ["id", "name", "price"] => publishes = []
-- expect: published-table-gone `product.products` is no longer published, but is used by `order` (copies, refers to) product/freehold.toml
select 1;
