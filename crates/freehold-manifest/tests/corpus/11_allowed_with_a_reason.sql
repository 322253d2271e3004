-- freehold: allow constraint-missing-not-valid: forty rows
alter table products add constraint dear check (price > 0);
