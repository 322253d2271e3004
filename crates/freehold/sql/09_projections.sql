-- Read models folded from streams or from the log, and how far each has come.

-- What the manifest declares; rewritten at each installation, but for the state.
create table if not exists freehold.projection (
  name    text primary key,
  -- with_append: folded in the transaction that appends. after_append: followed by position, soon after.
  timing  text not null check (timing in ('with_append', 'after_append')),
  -- streams: positions are those of `stream_order`. log: they are those of `log`.
  follows text not null check (follows in ('streams', 'log')),
  -- The streams, or the topics.
  sources text[] not null,
  -- empty: set when a projection with `with_append` is declared; appends pass it by until its first rebuild has ended.
  -- live: set at once for the others, and by the end of a rebuild.
  state   text not null check (state in ('empty', 'live')),
  -- The SQL function that folds, ready to be called; null where the service's program does.
  fold    text,
  -- Why it stands still, if it does; cleared by the next batch.
  error   text
);

-- The tables each of them fills, and where its shadow is while it is rebuilt.
create table if not exists freehold.projection_table (
  projection text not null,
  schema     text not null,
  name       text not null,
  shadow     text not null,
  primary key (schema, name)
);

-- Everything up to here is folded: moved in the transaction of the fold, by comparison.
create table if not exists freehold.checkpoint (
  projection text not null,
  -- live: what readers see. shadow: a rebuild, from its order to its end.
  generation text not null check (generation in ('live', 'shadow')),
  position   bigint not null,
  moved_at   timestamptz not null default clock_timestamp(),
  begun_at   timestamptz not null default clock_timestamp(),
  primary key (projection, generation)
);

-- Where the events end that a projection follows.
create or replace function freehold.head_of(projection text)
returns bigint
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
  select case p.follows
           when 'streams' then (select h.position from freehold.stream_head h)
           else (select h.position from freehold.log_head h)
         end
  from freehold.projection p
  where p.name = $1
$$;

-- Takes a checkpoint to move it: where it stands, and where the events end. No row if there is none, or another instance is
-- at it.
create or replace function freehold.take_checkpoint(projection text, generation text)
returns table ("position" bigint, head bigint)
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  select c.position into take_checkpoint."position"
  from freehold.checkpoint c
  where (c.projection, c.generation) = (take_checkpoint.projection, take_checkpoint.generation)
  for update skip locked;
  if not found then
    return;
  end if;
  -- After the lock: what has a position by now is committed.
  take_checkpoint.head := freehold.head_of(projection);
  return next;
end
$$;

-- Moves it from `after` to `upto`, or raises FH010 when it does not stand there: the caller's fold is rolled back with this.
create or replace function freehold.move_checkpoint(projection text, generation text, after bigint, upto bigint)
returns void
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  update freehold.checkpoint c
  set position = upto,
      moved_at = clock_timestamp()
  where (c.projection, c.generation, c.position) = (move_checkpoint.projection, move_checkpoint.generation, after);
  if not found then
    raise exception using
      errcode = 'FH010',
      message = format('the %s checkpoint of %s does not stand where its batch begins', generation, projection);
  end if;
  update freehold.projection p
  set error = null
  where p.name = move_checkpoint.projection and p.error is not null;
end
$$;

-- Writes down why a projection stands still.
create or replace function freehold.halt_projection(projection text, error text)
returns void
language sql
security definer
set search_path = pg_catalog, pg_temp
as $$
  update freehold.projection p set error = $2 where p.name = $1
$$;

-- What a projection follows, after one position and up to another, in order.
create or replace function freehold.events_of(projection text, after bigint, upto bigint)
returns table ("position" bigint, stream text, key text, version bigint, event text, schema integer, at timestamptz, data json)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  of record;
begin
  select p.follows, p.sources into of from freehold.projection p where p.name = events_of.projection;
  if of.follows = 'streams' then
    return query
    select o.position, e.stream, e.key, e.version, e.event, e.schema, e.at, e.body
    from freehold.stream_order o
    join freehold.stream_event e on e.id = o.event
    where o.position > after and o.position <= upto and e.stream = any (of.sources)
    order by o.position;
    return;
  end if;
  if after = 0 and not exists (select from freehold.log l where l.position = 1) and freehold.head_of(projection) > 0 then
    raise exception using
      errcode = '55000',
      message = format('the log no longer begins at its first message: %s cannot be folded from it', projection),
      hint = 'fold it from a stream, or keep it without a rebuild';
  end if;
  return query
  select l.position, l.topic, l.key, l.version, l.type, 1, l.time, coalesce(l.payload, 'null')
  from freehold.log l
  where l.position > after and l.position <= upto and l.topic = any (of.sources)
  order by l.position;
end
$$;

-- The same as a fold in SQL gets it; null if there is nothing.
create or replace function freehold.events_between(projection text, after bigint, upto bigint)
returns json
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select json_agg(row_to_json(e) order by e.position)
  from freehold.events_of(projection, after, upto) e
$$;

-- The lock that keeps appends and the end of a rebuild apart.
create or replace function freehold.projection_lock(projection text)
returns bigint
language sql
stable
return hashtextextended('freehold:projection:' || (select 'freehold.projection'::regclass::oid::text) || projection, 0);

-- Folds what is being appended, in its transaction, by each projection that follows the stream so.
create or replace function freehold.fold_with_append(stream text, told json)
returns void
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  fold record;
begin
  -- In one order, whoever appends. Shared: only the end of a rebuild asks for it alone.
  perform pg_advisory_xact_lock_shared(freehold.projection_lock(p.name))
  from (
    select q.name
    from freehold.projection q
    where q.timing = 'with_append' and fold_with_append.stream = any (q.sources)
    order by q.name
  ) p;
  -- After the lock: a rebuild that ended meanwhile has made it live.
  for fold in
    select p.fold,
           (select quote_ident(t.schema) from freehold.projection_table t where t.projection = p.name limit 1) as schema
    from freehold.projection p
    where p.timing = 'with_append' and p.state = 'live' and fold_with_append.stream = any (p.sources)
    order by p.name
  loop
    -- Ends with this function. Temporary tables come last: a session could make one of the table's name.
    perform set_config('search_path', fold.schema || ', pg_temp', true);
    execute 'select ' || fold.fold || '($1)' using told;
  end loop;
end
$$;
