-- expect: unsafe-migration (adding-required-field)
alter table products add column sku text not null;
