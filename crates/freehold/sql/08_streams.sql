-- What happened to each aggregate of this service, in order, for ever: event sourcing.

-- The events that the manifest declares, by stream; rewritten at each installation.
create table if not exists freehold.stream_type (
  stream text not null,
  event  text not null,
  -- Where others hear of it; null where the stream is private.
  topic  text,
  primary key (stream, event)
);

-- One row per stream that has events. Its lock is the stream's lock, its version that of the last event.
create table if not exists freehold.stream (
  stream  text not null,
  key     text not null,
  version bigint not null check (version > 0),
  primary key (stream, key)
) with (fillfactor = 80);

-- The events, never changed.
create table if not exists freehold.stream_event (
  -- Drawn under the lock of the stream's row, so inside one stream id order is commit order. CACHE 1, as in the outbox.
  id      bigint generated always as identity (cache 1) primary key,
  stream  text not null,
  key     text not null,
  version bigint not null,
  event   text not null,
  -- The version of the body's shape.
  schema  integer not null check (schema > 0),
  body    json not null,
  at      timestamptz not null default clock_timestamp(),
  traceparent text default nullif(current_setting('fh.traceparent', true), ''),
  -- The second fence beside the row lock: no version is given twice.
  unique (stream, key, version),
  constraint stream_event_body_at_most_1_mib check (octet_length(body::text) <= 1048576),
  constraint stream_event_key_at_most_512_bytes check (octet_length(key) between 1 and 512)
);
create or replace trigger freehold_append_only before update or delete on freehold.stream_event
  for each row execute function freehold.refuse_change();
create or replace trigger freehold_append_only_truncate before truncate on freehold.stream_event
  for each statement execute function freehold.refuse_change();
alter table freehold.stream_event enable always trigger freehold_append_only;
alter table freehold.stream_event enable always trigger freehold_append_only_truncate;

-- Events that have no position yet: written by the append, taken away by the sequencer. An id alone orders nothing: a
-- later one may commit first, and a reader that passed it would never see the earlier.
create table if not exists freehold.stream_waiting (
  event bigint primary key
) with (
  autovacuum_vacuum_threshold = 1000,
  autovacuum_vacuum_scale_factor = 0,
  autovacuum_vacuum_insert_threshold = -1,
  autovacuum_vacuum_cost_delay = 0
);

-- The order of all events of all streams: gapless, given after commit, never changed. What projections follow.
create table if not exists freehold.stream_order (
  position bigint primary key,
  event    bigint not null
);
create or replace trigger freehold_append_only before update or delete on freehold.stream_order
  for each row execute function freehold.refuse_change();
create or replace trigger freehold_append_only_truncate before truncate on freehold.stream_order
  for each statement execute function freehold.refuse_change();
alter table freehold.stream_order enable always trigger freehold_append_only;
alter table freehold.stream_order enable always trigger freehold_append_only_truncate;

-- One row. Its lock is the order's fence and mutual exclusion.
create table if not exists freehold.stream_head (
  single   boolean primary key default true check (single),
  position bigint not null default 0
);
insert into freehold.stream_head default values on conflict do nothing;

-- A state folded from a stream's events up to a version, so that not all of them need be read again. Derived.
create table if not exists freehold.stream_snapshot (
  stream  text not null,
  key     text not null,
  -- The version of the state's shape: a snapshot of another is not read.
  schema  integer not null,
  version bigint not null,
  state   json not null,
  primary key (stream, key)
);

-- Adds events to a stream in the caller's transaction, all or none; returns the stream's new version.
-- `expected` is the version the stream must have: 0 for a stream that is not there yet, null for any. Another one is FH020,
-- with the current version as its detail, and nothing is written.
create or replace function freehold.append(
  stream text, key text, expected bigint, events text[], schemas integer[], bodies json[]
)
returns bigint
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  -- Events of one append: one statement, one JSON value for the folds of its transaction.
  events_max constant integer := 1000;
  added constant bigint := coalesce(cardinality(append.events), 0);
  unknown text;
  next_version bigint;
  told json;
begin
  if added not between 1 and events_max
     or cardinality(schemas) is distinct from added or cardinality(bodies) is distinct from added then
    raise exception using
      errcode = '22023',
      message = format('%s events in one append', added),
      hint = format('append between 1 and %s, each with a schema and a body', events_max);
  end if;
  select n.event into unknown
  from unnest(append.events) as n(event)
  where not exists (select from freehold.stream_type t where (t.stream, t.event) = (append.stream, n.event))
  limit 1;
  if found then
    raise exception using
      errcode = 'FH005',
      message = format('event %L of stream %L is not declared', unknown, append.stream),
      hint = 'add it to `events` of the stream in the manifest, and start the system again';
  end if;

  -- The row's lock is the stream's: a second append waits here until we have ended, and compares with what we left.
  if expected > 0 then
    update freehold.stream s
    set version = s.version + added
    where (s.stream, s.key, s.version) = (append.stream, append.key, expected)
    returning s.version into next_version;
  else
    insert into freehold.stream as s (stream, key, version)
    values (append.stream, append.key, added)
    on conflict on constraint stream_pkey do update set version = s.version + added
    where append.expected is null
    returning s.version into next_version;
  end if;
  if next_version is null then
    raise exception using
      errcode = 'FH020',
      message = format('stream %s of %s is not at version %s', append.stream, append.key, expected),
      detail = coalesce((select s.version from freehold.stream s where (s.stream, s.key) = (append.stream, append.key)), 0),
      hint = 'load it again, and decide anew';
  end if;

  with given as (
    select n.place, n.event, n.schema, n.body
    from unnest(append.events, schemas, bodies) with ordinality as n(event, schema, body, place)
  ),
  told_of as (
    insert into freehold.stream_event as e (stream, key, version, event, schema, body)
    select append.stream, append.key, next_version - added + g.place, g.event, g.schema,
           -- A line break in JSON is white space only, and the feed writes a batch a line.
           replace(g.body::text, E'\n', ' ')::json
    from given g
    order by g.place
    returning e.*
  ),
  waiting as (
    insert into freehold.stream_waiting (event)
    select e.id from told_of e
  ),
  published as (
    insert into freehold.outbox (topic, type, key, version, payload)
    select t.topic, t.topic || '.' || e.event, e.key, e.version, e.body
    from told_of e
    join freehold.stream_type t on (t.stream, t.event) = (e.stream, e.event)
    where t.topic is not null
    order by e.version
  )
  select json_agg(
           json_build_object('position', null, 'stream', e.stream, 'key', e.key, 'version', e.version, 'event', e.event,
                             'schema', e.schema, 'at', e.at, 'data', e.body)
           order by e.version)
  into told
  from told_of e
  where exists (select from freehold.projection p where p.timing = 'with_append' and append.stream = any (p.sources));
  if told is not null then
    perform freehold.fold_with_append(append.stream, told);
  end if;
  return next_version;
end
$$;

-- The same for one event, from SQL: `select freehold.append('note', id::text, 3, 'edited', json_build_object(…))`.
create or replace function freehold.append(stream text, key text, expected bigint, event text, body json, schema integer default 1)
returns bigint
language sql
security definer
set search_path = pg_catalog, pg_temp
as $$
  select freehold.append($1, $2, $3, array[$4], array[$6], array[$5])
$$;

-- Gives committed events their positions, in order, gapless; returns how many. As `sequence` does for messages: if it dies
-- before commit the next call orders the same ones, and any number of callers take turns.
create or replace function freehold.order_events(batch_max integer)
returns integer
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
-- What waits has no statistics worth the name.
set enable_nestloop = off
set jit = off
as $$
declare
  head bigint;
  moved integer;
begin
  select h.position into head
  from freehold.stream_head h
  for update;
  -- A new statement, so a snapshot taken after the lock. If version 2 of a stream is visible, so is version 1, under a lower
  -- id: nothing is passed over, and holes in id mean nothing.
  with taken as (
    delete from freehold.stream_waiting w
    where w.event in (select f.event from freehold.stream_waiting f order by f.event limit batch_max)
    returning w.event
  ),
  placed as (
    insert into freehold.stream_order (position, event)
    select head + row_number() over (order by t.event), t.event
    from taken t
    order by t.event
    returning position
  )
  select count(*) into moved from placed;
  update freehold.stream_head h
  set position = h.position + moved
  where moved > 0;
  return moved;
end
$$;
