-- expect: unsafe-migration (constraint-missing-not-valid)
-- freehold: allow renaming-column: not what this is
alter table products add constraint dear check (price > 0);
