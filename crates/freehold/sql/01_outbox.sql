-- Messages to send. Rows arrive in the transaction that made the change and leave when the sequencer
-- moves them to the log; the table stays small and is never updated.

create table if not exists freehold.outbox (
  -- Drawn under the lock of the row the message is about, so inside one key id order is commit order.
  -- CACHE 1: with a cache, sessions would draw blocks and one key's ids could run backwards.
  id          bigint generated always as identity (cache 1) primary key,
  -- Only groups the messages of one transaction, so that it is applied whole; never orders anything.
  txid        xid8 not null default pg_current_xact_id(),
  topic       text not null,
  type        text not null,
  key         text not null,
  version     bigint not null,
  payload     json,
  time        timestamptz not null default now(),
  traceparent text default nullif(current_setting('fh.traceparent', true), ''),
  constraint outbox_payload_at_most_1_mib check (octet_length(payload::text) <= 1048576),
  constraint outbox_key_at_most_512_bytes check (octet_length(key) between 1 and 512)
) with (
  autovacuum_vacuum_threshold = 1000,
  autovacuum_vacuum_scale_factor = 0,
  autovacuum_vacuum_insert_threshold = -1,
  autovacuum_vacuum_cost_delay = 0
);

-- The version counter of a domain event's key, and the tombstone of a deleted published row:
-- a key's version is never reused or lowered, so nothing resurrects at a subscriber.
create table if not exists freehold.key_version (
  topic   text not null,
  key     text not null,
  version bigint not null,
  primary key (topic, key)
);

-- The domain events the manifest declares; rewritten at each installation.
create table if not exists freehold.event_type (
  type text primary key
);

-- Publishes a domain event in the caller's transaction: `select freehold.emit('order.placed', id::text, …)`.
-- Refuses an event that the manifest does not declare, while refusing is still free. Returns the key's new version.
create or replace function freehold.emit(type text, key text, payload json)
returns bigint
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  next_version bigint;
begin
  if not exists (select from freehold.event_type e where e.type = emit.type) then
    raise exception using
      errcode = 'FH005',
      message = format('event %L is not declared', emit.type),
      hint = 'add it to publishes in the manifest of the service, and start the system again';
  end if;
  -- The upsert's row lock is the key's lock: a second transaction waits here until we have ended,
  -- and draws its outbox id after ours.
  insert into freehold.key_version as k (topic, key, version)
  values (emit.type, emit.key, 1)
  on conflict on constraint key_version_pkey do update set version = k.version + 1
  returning k.version into next_version;
  insert into freehold.outbox (topic, type, key, version, payload)
  -- A line break in JSON is white space only, and the feed writes a batch a line.
  values (emit.type, emit.type, emit.key, next_version, replace(emit.payload::text, E'\n', ' ')::json);
  return next_version;
end
$$;

-- A changed row's version and time, kept by the database so that plain SQL from any language keeps them too.
-- A higher version given by the writer stands: that is how restore and re-creation lift a row.
create or replace function freehold.keep_version()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  new.version := greatest(old.version + 1, new.version);
  new.updated_at := now();
  return new;
end
$$;

create or replace function freehold.refuse_change()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception using
    errcode = 'FH002',
    message = format('%s is append-only: %s is refused', tg_table_name, lower(tg_op)),
    hint = 'write a new row that corrects the old one',
    table = tg_table_name;
end
$$;

create or replace function freehold.refuse_truncate()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception using
    errcode = 'FH003',
    message = format('%s %s: truncate is refused', tg_table_name, coalesce(tg_argv[0], 'is published')),
    hint = 'delete the rows instead, so that copies and histories follow',
    table = tg_table_name;
end
$$;

create or replace function freehold.refuse_key_change()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception using
    errcode = 'FH004',
    message = format('the key of a row of %s cannot change: %s', tg_table_name, coalesce(tg_argv[0], 'other services know the row by it')),
    hint = 'delete the row and insert it under its new key',
    table = tg_table_name;
end
$$;

-- What this installation is: written by the installer, read by the service at its start.
create table if not exists freehold.installation (
  single      boolean primary key default true check (single),
  fingerprint text not null,
  installed_at timestamptz not null default now()
);
