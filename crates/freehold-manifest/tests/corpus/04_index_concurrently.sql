-- freehold: no-transaction
create index concurrently if not exists products_by_name on products (name);
