-- expect: unsafe-migration (constraint-missing-not-valid)
alter table products add constraint dear check (price > 0);
