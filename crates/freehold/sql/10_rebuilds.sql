-- Projections folded anew, and what the manifest declares of them.

-- Orders a rebuild: empty shadows of the projection's tables, to be filled from the first event on. What an earlier order
-- left is dropped.
create or replace function freehold.begin_rebuild(projection text)
returns void
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set client_min_messages = warning
as $$
declare
  t record;
  writer text;
begin
  if not exists (select from freehold.projection p where p.name = begin_rebuild.projection) then
    raise exception using errcode = '22023', message = format('there is no projection %L', projection);
  end if;
  -- One order at a time, and none while a batch is folded.
  insert into freehold.checkpoint as c (projection, generation, position)
  values (begin_rebuild.projection, 'shadow', 0)
  on conflict on constraint checkpoint_pkey do update
  set position = 0,
      begun_at = clock_timestamp(),
      moved_at = clock_timestamp();
  for t in select * from freehold.projection_table f where f.projection = begin_rebuild.projection order by f.name loop
    execute format('drop table if exists %I.%I', t.shadow, t.name);
    -- No foreign keys: they are asked when the rows come back.
    execute format('create table %I.%I (like %I.%I including defaults including constraints including indexes including generated)',
                   t.shadow, t.name, t.schema, t.name);
    -- Whoever may write the table may write its shadow.
    for writer in
      select distinct quote_ident(r.rolname)
      from pg_class c, aclexplode(c.relacl) a
      join pg_roles r on r.oid = a.grantee
      where c.oid = format('%I.%I', t.schema, t.name)::regclass and a.privilege_type = 'INSERT'
    loop
      execute format('grant select, insert, update, delete on %I.%I to %s', t.shadow, t.name, writer);
    end loop;
  end loop;
end
$$;

-- Ends a rebuild: the tables become what their shadows are, by the rows that differ. Readers see all of it or nothing, and
-- wait for nothing: the tables, their grants, policies, triggers and views stay.
create or replace function freehold.end_rebuild(projection text, upto bigint)
returns bigint
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  t record;
  live text;
  shadow text;
  same_key text;
  touched bigint;
  total bigint := 0;
begin
  for t in select * from freehold.projection_table f where f.projection = end_rebuild.projection order by f.name loop
    live := format('%I.%I', t.schema, t.name);
    shadow := format('%I.%I', t.shadow, t.name);
    select string_agg(format('s.%1$I = l.%1$I', a.attname), ' and ')
    into same_key
    from pg_index i
    join unnest(i.indkey::int2[]) k(num) on true
    join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.num
    where i.indrelid = live::regclass and i.indisprimary;
    -- First away with all that is gone or differs, then in with what is missing: a unique value may pass from row to row.
    execute format('delete from %s l where not exists (select from %s s where %s and not ((s.*)::record *<> (l.*)::record))', live, shadow, same_key);
    get diagnostics touched = row_count;
    total := total + touched;
    execute format('insert into %1$s (%2$s) select %2$s from %3$s s where not exists (select from %1$s l where %4$s)', live,
                   (select string_agg(quote_ident(a.attname), ', ' order by a.attnum)
                    from pg_attribute a
                    where a.attrelid = live::regclass and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''),
                   shadow, same_key);
    get diagnostics touched = row_count;
    total := total + touched;
    execute format('drop table %s', shadow);
  end loop;
  update freehold.checkpoint c
  set position = upto,
      moved_at = clock_timestamp()
  where (c.projection, c.generation) = (end_rebuild.projection, 'live');
  delete from freehold.checkpoint c
  where (c.projection, c.generation) = (end_rebuild.projection, 'shadow');
  update freehold.projection p
  set state = 'live',
      error = null
  where p.name = end_rebuild.projection;
  return total;
end
$$;

-- Takes what the manifest declares. A projection that is new with `with_append`, or is declared otherwise than before, is
-- rebuilt; any other stays as it is.
create or replace function freehold.declare_projection(
  name text, timing text, follows text, sources text[], fold text, schema text, shadow text, tables text[]
)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  before record;
  same_tables boolean;
begin
  -- Before the projection's row, as everybody does.
  perform from freehold.checkpoint c where c.projection = declare_projection.name order by c.generation for update;
  select p.* into before from freehold.projection p where p.name = declare_projection.name;
  select array_agg(t.name order by t.name) is not distinct from (select array_agg(n order by n) from unnest(tables) n)
  into same_tables
  from freehold.projection_table t
  where t.projection = declare_projection.name;

  delete from freehold.projection_table t where t.projection = declare_projection.name;
  insert into freehold.projection_table (projection, schema, name, shadow)
  select declare_projection.name, declare_projection.schema, n, declare_projection.shadow
  from unnest(tables) n;
  insert into freehold.projection as p (name, timing, follows, sources, fold, state)
  values (declare_projection.name, declare_projection.timing, declare_projection.follows, declare_projection.sources,
          declare_projection.fold,
          case declare_projection.timing when 'with_append' then 'empty' else 'live' end)
  on conflict on constraint projection_pkey do update
  set timing = excluded.timing,
      follows = excluded.follows,
      sources = excluded.sources,
      fold = excluded.fold,
      state = case when p.timing = excluded.timing then p.state else excluded.state end;
  insert into freehold.checkpoint (projection, generation, position)
  values (declare_projection.name, 'live', 0)
  on conflict do nothing;

  if before.name is null then
    if declare_projection.timing = 'with_append' then
      perform freehold.begin_rebuild(declare_projection.name);
    end if;
  elsif not same_tables
     or (before.timing, before.follows, before.sources, before.fold)
        is distinct from (declare_projection.timing, declare_projection.follows, declare_projection.sources, declare_projection.fold) then
    perform freehold.begin_rebuild(declare_projection.name);
  end if;
end
$$;

-- Forgets the projections that are not declared any more, and what is left of their rebuilds.
create or replace function freehold.forget_projections(declared text[])
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
set client_min_messages = warning
as $$
declare
  t record;
begin
  for t in
    select f.shadow, f.name
    from freehold.projection_table f
    where f.projection <> all (declared)
  loop
    execute format('drop table if exists %I.%I', t.shadow, t.name);
  end loop;
  delete from freehold.projection_table f where f.projection <> all (declared);
  delete from freehold.checkpoint c where c.projection <> all (declared);
  delete from freehold.projection p where p.name <> all (declared);
end
$$;
