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

-- Moves a producer's cursors from `after` to `upto`, or raises FH010 when they do not stand at `after`:
-- another instance was quicker, and the caller's effects are rolled back with this.
create or replace function freehold.advance(
  subscription text, producer text, epoch integer, after bigint, upto bigint,
  topics text[], seen bigint[], hashes bytea[]
)
returns void
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  standing bigint;
begin
  perform
  from freehold.cursor c
  where c.subscription = advance.subscription and c.producer = advance.producer
  order by c.topic
  for update;
  select min(c.position)
  into standing
  from freehold.cursor c
  where c.subscription = advance.subscription and c.producer = advance.producer and c.epoch = advance.epoch;
  if standing is distinct from after then
    raise exception using
      errcode = 'FH010',
      message = format('cursors of %s stand at %s, not at %s', producer, coalesce(standing::text, 'another epoch'), after);
  end if;
  update freehold.cursor c
  set position = greatest(c.position, upto),
      seen = greatest(c.seen, coalesce(m.seen, 0)),
      hash = case when m.seen > c.seen then m.hash else c.hash end
  from freehold.cursor o
  left join unnest(topics, advance.seen, hashes) as m(topic, seen, hash) on m.topic = o.topic
  where (o.subscription, o.producer, o.topic) = (c.subscription, c.producer, c.topic)
    and c.subscription = advance.subscription
    and c.producer = advance.producer;
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
