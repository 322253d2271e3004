-- The ordered truth: every message of this service, gapless, hash-chained, never changed.

create table if not exists freehold.log (
  position    bigint not null primary key,
  epoch       integer not null,
  id          uuid not null,
  topic       text not null,
  type        text not null,
  key         text not null,
  version     bigint not null,
  payload     json,
  time        timestamptz not null,
  traceparent text,
  -- The position of the topic's previous message; 0 at its first. A reader of one topic proves by it that it skipped nothing.
  prev        bigint not null,
  hash        bytea not null,
  -- The last position of the batch the message was sequenced in. No transaction spans a batch's end,
  -- so a reader that stops only there applies every transaction whole.
  whole       bigint not null
) partition by range (position);

-- One row. Its lock is the sequencer's fence and mutual exclusion.
create table if not exists freehold.log_head (
  single         boolean primary key default true check (single),
  epoch          integer not null default 1,
  position       bigint not null default 0,
  hash           bytea not null default sha256(''),
  -- Partitions exist for positions up to here.
  partitioned_to bigint not null default 0
);
insert into freehold.log_head default values on conflict do nothing;

create table if not exists freehold.topic (
  topic    text primary key,
  position bigint not null
);

-- Who does a task that several instances of a service could do, by the database's clock.
-- It only saves idle work: the tasks themselves stay right without it.
create table if not exists freehold.lease (
  task   text primary key,
  holder text not null,
  until  timestamptz not null
);

create or replace function freehold.hold_lease(task text, holder text, ttl_ms integer)
returns boolean
language sql
security definer
set search_path = pg_catalog, pg_temp
as $$
  insert into freehold.lease as l (task, holder, until)
  values (hold_lease.task, hold_lease.holder, clock_timestamp() + ttl_ms * interval '1 ms')
  on conflict on constraint lease_pkey do update
  set holder = excluded.holder,
      until = excluded.until
  where l.holder = excluded.holder or l.until < clock_timestamp()
  returning true
$$;

-- One link of the chain: SHA-256(previous hash ‖ content).
create or replace function freehold.link(previous bytea, content bytea)
returns bytea
language plpgsql
immutable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  return sha256(previous || content);
end
$$;
-- A function with settings is slow to call, and this one is called per message; it uses nothing but pg_catalog.
alter function freehold.link(bytea, bytea) reset search_path;

create or replace aggregate freehold.chain(bytea) (
  sfunc = freehold.link,
  stype = bytea,
  initcond = ''
);

-- What is hashed of a message. Lengths stand before the free texts, so no two messages have the same form.
create or replace function freehold.canonical(
  epoch integer, "position" bigint, prev bigint, id uuid, type text, key text, version bigint, payload json
)
returns bytea
language sql
immutable parallel safe
return convert_to(
  concat_ws(E'\n', epoch, "position", prev, id, type, version, octet_length(key), key, octet_length(payload::text), payload::text),
  'UTF8'
);

create or replace function freehold.extend_log(upto bigint)
returns void
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  -- Positions a partition holds: large enough to be few, small enough that dropping one frees space in steps.
  partition_positions constant bigint := 1000000;
  start bigint;
  name text;
begin
  loop
    select partitioned_to into start from freehold.log_head;
    exit when start >= upto + partition_positions / 2;
    name := 'log_' || lpad((start / partition_positions + 1)::text, 9, '0');
    -- Created apart and attached, which lets readers go on; CREATE … PARTITION OF would stop them.
    execute format('create table if not exists freehold.%I (like freehold.log including defaults including constraints)', name);
    execute format('alter table freehold.log attach partition freehold.%I for values from (%s) to (%s)',
                   name, start + 1, start + partition_positions + 1);
    update freehold.log_head set partitioned_to = start + partition_positions;
  end loop;
end
$$;
select freehold.extend_log(1);

-- Moves committed messages from the outbox to the log, in order, gapless; returns how many.
-- If it dies before commit, the next call moves the same rows. Safe with any number of callers.
create or replace function freehold.sequence(batch_max integer)
returns integer
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
-- The outbox has no statistics worth the name; a nested loop over a backlog would take minutes.
set enable_nestloop = off
set jit = off
as $$
declare
  -- A batch of more than this, messages or bytes, is marked in pieces: a subscriber holds a piece in memory.
  whole_max constant integer := 20000;
  whole_bytes constant bigint := 64 * 1024 * 1024;
  head record;
  backlog boolean;
  waiting bigint;
  moved integer;
begin
  select h.epoch, h.position, h.hash, h.partitioned_to
  into head
  from freehold.log_head h
  for update;

  -- From here each statement has a snapshot taken after the lock. If version 2 of a key is visible, so is
  -- version 1: nothing can be skipped, and holes in id mean nothing.
  select max(o.id) - min(o.id) + 1 into waiting from freehold.outbox o;
  if waiting is null then
    return 0;
  end if;
  if head.position + waiting + batch_max > head.partitioned_to then
    perform freehold.extend_log(head.position + waiting + batch_max);
  end if;
  backlog := exists (select from freehold.outbox offset batch_max)
    or (select sum(octet_length(o.payload::text)) from freehold.outbox o) > whole_bytes;

  with recursive cut(id) as (
      -- In a backlog a batch ends early, but never inside a transaction: widened until none spans the cut.
      -- Same snapshot as the deletion below, so what commits meanwhile cannot fall on both sides.
      select coalesce(max(f.id) filter (where f.bytes <= whole_bytes), min(f.id))
      from (
        select o.id, sum(coalesce(octet_length(o.payload::text), 0)) over (order by o.id) as bytes
        from freehold.outbox o
        order by o.id
        limit batch_max
      ) f
    union
      select (
        select max(o.id)
        from freehold.outbox o
        where o.txid in (select i.txid from freehold.outbox i where i.id <= cut.id)
      )
      from cut
  ),
  taken as (
    delete from freehold.outbox o
    where o.id <= case when backlog then (select max(cut.id) from cut) else 9223372036854775807 end
    returning o.*
  ),
  placed as (
    select
      t.*,
      head.position + row_number() over (order by t.id) as position,
      count(*) over () as total,
      sum(octet_length(t.payload::text)) over () as bytes,
      -- UUIDv7 of the message's own time; the time orders nothing.
      encode(
        set_bit(set_bit(
          overlay(uuid_send(gen_random_uuid()) placing substring(int8send(floor(extract(epoch from t.time) * 1000)::bigint) from 3) from 1 for 6),
          52, 1), 53, 1),
        'hex')::uuid as message_id
    from taken t
  ),
  linked as (
    select
      p.*,
      coalesce(lag(p.position) over (partition by p.topic order by p.position), h.position, 0) as prev
    from placed p
    left join freehold.topic h on h.topic = p.topic
  ),
  hashed as (
    select
      l.*,
      freehold.chain(
        case when l.position = head.position + 1 then head.hash else ''::bytea end
        || sha256(freehold.canonical(head.epoch, l.position, l.prev, l.message_id, l.type, l.key, l.version, l.payload))
      ) over (order by l.position) as hash
    from linked l
  ),
  pieced as (
    select
      h.*,
      ceil(h.total / greatest(ceil(h.total::numeric / whole_max), ceil(h.bytes::numeric / whole_bytes), 1))::bigint as piece
    from hashed h
  ),
  logged as (
    insert into freehold.log (position, epoch, id, topic, type, key, version, payload, time, traceparent, prev, hash, whole)
    select
      n.position, head.epoch, n.message_id, n.topic, n.type, n.key, n.version, n.payload, n.time, n.traceparent, n.prev, n.hash,
      head.position + least(n.total, ((n.position - head.position - 1) / n.piece + 1) * n.piece)
    from pieced n
    order by n.position
    returning position, topic, hash
  ),
  topics as (
    insert into freehold.topic as t (topic, position)
    select g.topic, max(g.position)
    from logged g
    group by g.topic
    on conflict on constraint topic_pkey do update set position = excluded.position
  ),
  last as (
    select g.position, g.hash
    from logged g
    order by g.position desc
    limit 1
  )
  update freehold.log_head h
  set position = last.position,
      hash = last.hash
  from last
  returning (h.position - head.position)::integer into moved;
  return coalesce(moved, 0);
end
$$;

-- The first position at which the chain does not hold, or null: recomputed from the bodies.
create or replace function freehold.broken_link(after bigint, upto bigint)
returns bigint
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
  select min(c.position)
  from (
    select
      l.position,
      l.hash is distinct from sha256(
        coalesce(lag(l.hash) over w, p.hash, sha256(''))
        || sha256(freehold.canonical(l.epoch, l.position, l.prev, l.id, l.type, l.key, l.version, l.payload))
      )
      or l.position is distinct from coalesce(lag(l.position) over w, broken_link.after) + 1 as broken
    from freehold.log l
    left join freehold.log p on p.position = broken_link.after
    where l.position > broken_link.after and l.position <= broken_link.upto
    window w as (order by l.position)
  ) c
  where c.broken
$$;
