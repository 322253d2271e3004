alter table products add constraint dear check (price > 0) not valid;
