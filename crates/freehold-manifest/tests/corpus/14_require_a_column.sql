-- expect: unsafe-migration (adding-not-nullable-field)
alter table products alter column cost set not null;
