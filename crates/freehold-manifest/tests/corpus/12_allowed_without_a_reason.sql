-- expect: unsafe-migration (constraint-missing-not-valid)
-- expect: unsafe-migration allowed here without a reason
-- freehold: allow constraint-missing-not-valid
alter table products add constraint dear check (price > 0);
