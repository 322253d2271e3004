-- service: user
-- expect: published-table-gone `user.users` is renamed to `accounts`, but is used by `order` (copies, refers to, hears) user/migrations/0002_next.sql:2
-- freehold: allow renaming-table: the corpus
alter table users rename to accounts;
