-- expect: contract-stale `product.products.price`
-- freehold: allow changing-column-type: the catalogue alone changes
alter table products alter column price type numeric(14, 2);
