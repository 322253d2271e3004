alter table products add column weight integer not null default 0;
