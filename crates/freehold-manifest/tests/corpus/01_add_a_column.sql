alter table products add column weight integer;
