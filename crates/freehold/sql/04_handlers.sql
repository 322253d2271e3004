-- What handlers do with what was heard: commands sent and obeyed, keys set aside, work that is due later.

-- The commands and replies the manifest declares, with the topic each travels on; rewritten at each installation.
create table if not exists freehold.sent_type (
  type  text not null,
  topic text not null,
  primary key (type, topic)
);

-- Sends a command or a reply in the caller's transaction. The key's version is also its lock, as in `emit`.
create or replace function freehold.send(topic text, type text, key text, payload json)
returns void
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  next_version bigint;
begin
  if not exists (select from freehold.sent_type s where (s.type, s.topic) = (send.type, send.topic)) then
    raise exception using
      errcode = 'FH005',
      message = format('%s on %s is not declared', send.type, send.topic),
      hint = 'name the command in `sends` of its sender and in `[commands]` of the service that obeys it, and start the system again';
  end if;
  insert into freehold.key_version as k (topic, key, version)
  values (send.topic, send.key, 1)
  on conflict on constraint key_version_pkey do update set version = k.version + 1
  returning k.version into next_version;
  insert into freehold.outbox (topic, type, key, version, payload)
  values (send.topic, send.type, send.key, next_version, replace(send.payload::text, E'\n', ' ')::json);
end
$$;

-- Commands that took effect here, or never will, with the answer that was given. A command that comes again is answered
-- again and does nothing. A compensation that found nothing to undo leaves `voided` under the id of its forward command:
-- if that one comes late, it does nothing either.
create table if not exists freehold.obeyed (
  command  uuid primary key,
  type     text not null,
  key      text not null,
  outcome  text not null check (outcome in ('done', 'refused', 'voided')),
  reason   text,
  data     json,
  at       timestamptz not null default clock_timestamp()
);

-- A key whose message could not be handled. Its messages wait in `parked`, all other keys flow.
create table if not exists freehold.parked_key (
  producer text not null,
  topic    text not null,
  key      text not null,
  -- retrying: set when a handler failed, and by an operator's redrive; the service tries again at `next_at`.
  -- parked: set after the last attempt; an operator redrives or skips.
  state    text not null default 'retrying' check (state in ('retrying', 'parked')),
  attempts integer not null default 1,
  next_at  timestamptz not null,
  error    text not null,
  since    timestamptz not null default clock_timestamp(),
  primary key (producer, topic, key)
);

create index if not exists parked_key_retrying on freehold.parked_key (next_at) where state = 'retrying';

-- The messages of those keys, as they came, in order of position.
create table if not exists freehold.parked (
  producer  text not null,
  topic     text not null,
  key       text not null,
  position  bigint not null,
  message   json not null,
  parked_at timestamptz not null default clock_timestamp(),
  primary key (producer, topic, key, position)
);

-- Messages that an operator let go, and why.
create table if not exists freehold.skipped (
  producer   text not null,
  topic      text not null,
  key        text not null,
  position   bigint not null,
  message    json not null,
  error      text,
  reason     text not null,
  skipped_by text not null,
  skipped_at timestamptz not null default clock_timestamp(),
  primary key (producer, topic, position)
);

-- What is to be done later, written in the transaction that wants it. Ordered by nothing but the time it is due.
create table if not exists freehold.due (
  id        bigint generated always as identity primary key,
  due_at    timestamptz not null,
  -- timeout: a step did not answer in time. retry: a step of this service failed and is tried again.
  -- call: a step outside the database waits to be made; while it is made `due_at` is the end of the caller's claim.
  -- command: a message of `after`. operator: what `freehold sagas …` asks for.
  kind      text not null check (kind in ('timeout', 'retry', 'call', 'command', 'operator')),
  saga      uuid,
  step      text,
  direction text check (direction in ('forward', 'compensate')),
  type      text,
  key       text,
  payload   json,
  traceparent text default nullif(current_setting('fh.traceparent', true), '')
) with (
  autovacuum_vacuum_threshold = 1000,
  autovacuum_vacuum_scale_factor = 0
);
create index if not exists due_calls on freehold.due (due_at) where kind = 'call';
create index if not exists due_others on freehold.due (due_at) where kind <> 'call';
-- A step waits for one thing at a time.
create unique index if not exists due_by_step on freehold.due (saga, step, direction) where kind in ('timeout', 'retry', 'call');
