-- freehold: no-transaction
-- expect: unsafe-migration waits to drop its index
drop index products_by_name;
