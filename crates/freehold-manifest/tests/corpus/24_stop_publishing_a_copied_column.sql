-- manifest: "id", "name", "price" => "id", "name"
-- expect: published-column-gone `product.products.price` is no longer published, but is used by `order` (copies, caches) product/freehold.toml
select 1;
