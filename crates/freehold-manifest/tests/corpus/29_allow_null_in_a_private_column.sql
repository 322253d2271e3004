-- service: user
-- freehold: allow ban-drop-not-null: nothing reads it
alter table users alter column email drop not null;
