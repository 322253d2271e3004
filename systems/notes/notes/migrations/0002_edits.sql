-- What notes say: folded from their edits, which are events of the stream `note`.

create table note_texts (
    -- The note's.
    id         uuid        primary key,
    content    text        not null,
    -- The version of the last edit in it.
    at_version bigint      not null,
    edited_at  timestamptz not null
);

create function fold_note_texts(events json) returns void
language sql
as $$
    with edits as (
        select
            e.key::uuid as id,
            e.version,
            e.at,
            bool_or(e.event = 'removed') over (partition by e.key) as removed,
            e.event = 'written' as whole,
            e.data ->> 'text' as text,
            max(e.version) filter (where e.event = 'written') over (partition by e.key) as begins
        from json_to_recordset(events) as e(key text, version bigint, event text, at timestamptz, data json)
    ),
    folded as (
        select
            e.id,
            bool_or(e.whole) as whole,
            coalesce(string_agg(e.text, '' order by e.version) filter (where e.begins is null or e.version >= e.begins), '') as text,
            max(e.version) as at_version,
            max(e.at) as edited_at
        from edits e
        where not e.removed
        group by e.id
    ),
    gone as (
        delete from note_texts t
        using edits e
        where t.id = e.id and e.removed
    )
    insert into note_texts (id, content, at_version, edited_at)
    select
        f.id,
        case when f.whole then f.text else coalesce(t.content, '') || f.text end,
        f.at_version,
        f.edited_at
    from folded f
    left join note_texts t on t.id = f.id
    on conflict (id) do update
    set content = excluded.content,
        at_version = excluded.at_version,
        edited_at = excluded.edited_at
$$;

create table note_activity (
    id              uuid        primary key,
    edits           bigint      not null,
    first_edited_at timestamptz not null,
    last_edited_at  timestamptz not null
);

create function fold_note_activity(events json) returns void
language sql
as $$
    with edits as (
        select e.key::uuid as id, e.at, bool_or(e.event = 'removed') over (partition by e.key) as removed
        from json_to_recordset(events) as e(key text, event text, at timestamptz)
    ),
    gone as (
        delete from note_activity a
        using edits e
        where a.id = e.id and e.removed
    )
    insert into note_activity as a (id, edits, first_edited_at, last_edited_at)
    select e.id, count(*), min(e.at), max(e.at)
    from edits e
    where not e.removed
    group by e.id
    on conflict (id) do update
    set edits = a.edits + excluded.edits,
        last_edited_at = greatest(a.last_edited_at, excluded.last_edited_at)
$$;

-- Whoever deletes a note, and whatever for, ends its stream: what is folded from it goes too.
create function end_edits() returns trigger
language plpgsql
as $$
begin
    if exists (select from note_texts t where t.id = old.id) then
        perform freehold.append('note', old.id::text, null, 'removed', '{}');
    end if;
    return null;
end
$$;
create trigger notes_end_edits after delete on notes
    for each row execute function end_edits();
