-- expect: published-column-retyped `product.products.name` becomes `text`, and was promised as `text not null`, but is used by `order` (copies, caches)
-- freehold: allow ban-drop-not-null: the corpus
alter table products alter column name drop not null;
