-- freehold: allow ban-drop-table: derived, and filled anew
drop table products;
create table products (id bigint generated always as identity primary key, name text not null, price numeric(12, 2) not null);
