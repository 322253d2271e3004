create table by_sql (id text primary key, edits bigint not null, bytes bigint not null);
create table by_program (like by_sql including all);

create function fold_by_sql(events json) returns void language sql as $$
  insert into by_sql as s (id, edits, bytes)
  select e.key, count(*), sum(octet_length(e.data ->> 'text'))
  from json_to_recordset(events) as e(key text, data json)
  group by e.key
  on conflict (id) do update
  set edits = s.edits + excluded.edits,
      bytes = s.bytes + excluded.bytes
$$;
