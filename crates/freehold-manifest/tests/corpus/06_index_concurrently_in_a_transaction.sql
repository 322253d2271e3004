-- expect: unsafe-migration does not run in the transaction of a file
create index concurrently products_by_name on products (name);
