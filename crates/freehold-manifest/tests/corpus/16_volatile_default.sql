-- expect: unsafe-migration (adding-field-with-default)
alter table products add column token uuid default gen_random_uuid();
