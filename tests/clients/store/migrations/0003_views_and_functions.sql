create view order_totals with (security_invoker = true) as
select o.id as order_id,
       o.customer_id,
       count(l.line_no) as lines,
       coalesce(sum(l.quantity * l.price), 0) as total
  from orders o
  left join order_lines l on l.order_id = o.id
 group by o.id;

create view stock_list with (security_invoker = true) as
select id, name, price
  from products
 where not discontinued;

create function add_them(a integer, b integer default 10) returns integer
    language sql
    immutable
return a + b;

create function greet(name text) returns text
    language sql
    immutable
return 'Hello, ' || name || '!';

create function total_of(variadic numbers integer[]) returns bigint
    language sql
    immutable
return (select sum(n) from unnest(numbers) n);

create function plus_one(numbers integer[]) returns integer[]
    language sql
    immutable
return (select array_agg(n + 1 order by place) from unnest(numbers) with ordinality as u (n, place));

create function numbers_up_to(n integer) returns setof integer
    language sql
    immutable
begin atomic
    select generate_series(1, n);
end;

create function pair(out a integer, out b text)
    language sql
    stable
begin atomic
    select 1, 'one';
end;

create function search_products(term text, at_most integer default 5) returns setof products
    language sql
    stable
    set search_path from current
as $$
    select *
      from products
     where search @@ websearch_to_tsquery('english', term)
     order by id
     limit at_most
$$;

create function customers_of(wanted customer_level) returns setof customers
    language sql
    stable
    set search_path from current
as $$
    select *
      from customers
     where level = wanted
$$;

create function price_bands(width numeric) returns table (band integer, products bigint, average numeric)
    language sql
    stable
    set search_path from current
as $$
    select floor(p.price / width)::integer, count(*), round(avg(p.price), 2)
      from products p
     group by 1
     order by 1
$$;

create function describe(json) returns json
    language sql
    immutable
return json_build_object('type', json_typeof($1), 'length', case json_typeof($1) when 'array' then json_array_length($1) end);

create function shout(text) returns text
    language sql
    immutable
return upper($1);

create function add_note(owner text, title text, labels text[] default '{}') returns notes
    language sql
    volatile
    set search_path from current
as $$
    insert into notes (owner, title, labels)
    values (add_note.owner, add_note.title, add_note.labels)
    returning *
$$;

create function raise_rank(note bigint, by_how_much integer default 1) returns void
    language sql
    volatile
    set search_path from current
as $$
    update notes
       set rank = rank + by_how_much
     where id = note
$$;

create function remove_notes(whose text) returns setof notes
    language sql
    volatile
    set search_path from current
as $$
    delete from notes
     where owner = whose
    returning *
$$;

create function refuse(reason text) returns void
    language plpgsql
    stable
as $$
begin
    raise exception 'refused: %', reason
        using detail = 'It was asked for.',
              hint = 'Ask for something else.';
end
$$;
