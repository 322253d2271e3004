-- freehold: allow renaming-column: both in one transaction
alter table products rename column name to old_name;
alter table products add column name text not null default '';
