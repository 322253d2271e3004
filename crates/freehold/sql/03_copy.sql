-- How far this service has followed others, and the rows of theirs that it keeps.

-- One row per topic heard. Moved in the transaction that applies what was heard, by comparison: a message takes
-- effect once, and a repeated batch is recognised without a table of message ids.
create table if not exists freehold.cursor (
  subscription text not null,
  producer     text not null,
  topic        text not null,
  epoch        integer not null,
  -- Everything of the topic up to here has taken effect.
  position     bigint not null,
  -- The topic's last message among it; the next one must name it as its predecessor.
  seen         bigint not null,
  -- That message's hash: this service is a witness of the producer's log.
  hash         bytea not null,
  primary key (subscription, producer, topic)
);

create table if not exists freehold.copy (
  name     text primary key,
  producer text not null,
  topic    text not null,
  columns  text[] not null,
  -- empty: set when the copy is made or gains a column; the subscription fills it from the owner's rows.
  -- live: set when it is filled; from then on events keep it true.
  state    text not null default 'empty' check (state in ('empty', 'live'))
);

-- Deleted keys of copies, with the version of the deletion: a late change of an older version does not resurrect.
create table if not exists freehold.tombstone (
  copy    text not null,
  key     text not null,
  version bigint not null,
  primary key (copy, key)
);

-- Moves the cursors of these topics from `after` to `upto`, or raises FH010 when one does not stand there: another
-- instance was quicker, and the caller's effects are rolled back with this. `seen` is null where nothing was said.
create or replace function freehold.advance(
  subscription text, producer text, epoch integer, upto bigint,
  topics text[], after bigint[], seen bigint[], hashes bytea[]
)
returns void
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  moved bigint;
begin
  -- In one order, whoever moves them.
  perform
  from freehold.cursor c
  where c.subscription = advance.subscription and c.producer = advance.producer
  order by c.topic
  for update;
  update freehold.cursor c
  set position = greatest(c.position, upto),
      seen = coalesce(m.seen, c.seen),
      hash = coalesce(m.hash, c.hash)
  from unnest(topics, advance.after, advance.seen, hashes) as m(topic, after, seen, hash)
  where (c.subscription, c.producer, c.topic) = (advance.subscription, advance.producer, m.topic)
    and (c.epoch, c.position) = (advance.epoch, m.after);
  get diagnostics moved = row_count;
  if moved <> cardinality(topics) then
    raise exception using
      errcode = 'FH010',
      message = format('the cursors of %s do not stand where its batch begins', producer);
  end if;
end
$$;

-- Sets a topic's cursor where a bootstrap's snapshot was taken.
create or replace function freehold.place_cursor(
  subscription text, producer text, topic text, epoch integer, "position" bigint, seen bigint, hash bytea
)
returns void
language sql
security definer
set search_path = pg_catalog, pg_temp
as $$
  insert into freehold.cursor (subscription, producer, topic, epoch, position, seen, hash)
  values ($1, $2, $3, $4, $5, $6, $7)
  on conflict on constraint cursor_pkey do update
  set epoch = excluded.epoch,
      position = excluded.position,
      seen = excluded.seen,
      hash = excluded.hash
$$;

-- Where a topic begins that was never heard: before its first message. One that was heard stays where it is.
create or replace function freehold.begin_cursor(subscription text, producer text, topic text, epoch integer)
returns void
language sql
security definer
set search_path = pg_catalog, pg_temp
as $$
  insert into freehold.cursor (subscription, producer, topic, epoch, position, seen, hash)
  values ($1, $2, $3, $4, 0, 0, '')
  on conflict on constraint cursor_pkey do nothing
$$;

create or replace function freehold.bury(copy text, keys text[], versions bigint[])
returns void
language sql
set search_path = pg_catalog, pg_temp
as $$
  insert into freehold.tombstone as t (copy, key, version)
  select $1, b.key, b.version
  from unnest(keys, versions) as b(key, version)
  on conflict on constraint tombstone_pkey do update
  set version = greatest(t.version, excluded.version)
$$;
