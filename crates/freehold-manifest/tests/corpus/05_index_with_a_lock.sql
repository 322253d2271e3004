-- expect: unsafe-migration nobody can write to the table while this index is built
create index products_by_name on products (name);
