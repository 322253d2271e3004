-- freehold: allow adding-serial-primary-key-field: the index is there
alter table products drop constraint products_pkey, add constraint products_key primary key (id);
