-- Who is asking, as policies of the service's own tables see it. Made before the first migration, which may name them, and kept
-- at each installation. Without a search path of their own the planner reads through them: `owner_id = freehold.subject()::uuid`
-- finds an index of `owner_id`.

-- The subject of the token that the request came with; null if there is none.
create or replace function freehold.subject()
returns text
language sql
stable
parallel safe
as $$select nullif(pg_catalog.current_setting('fh.subject', true), '')$$;

-- Whether the service itself is at work: its handlers, its sagas, what is due.
create or replace function freehold.is_service()
returns boolean
language sql
stable
parallel safe
as $$select coalesce(pg_catalog.current_setting('fh.service', true) = 'on', false)$$;
