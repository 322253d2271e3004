-- The category tree.

create table categories (
    id                 uuid primary key default gen_random_uuid(),
    name               text not null,
    slug               text not null,
    parent_category_id uuid references categories (id),

    constraint categories_name_is_given
        check (btrim(name) <> '' and length(name) <= 100),
    constraint categories_slug_key
        unique (slug),
    constraint categories_slug_is_a_slug
        check (length(slug) <= 100 and slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$'),
    constraint categories_parent_is_another
        check (parent_category_id <> id)
);

create index categories_by_parent
    on categories (parent_category_id);

-- A tree has no cycles. Two moves that are harmless alone can close a circle together, so moves wait for
-- each other; everything else about categories goes on unhindered.
create function categories_stay_a_tree() returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    perform pg_advisory_xact_lock(tg_relid::bigint);

    -- `union` drops what it has seen: the walk ends even if the tree were broken already.
    if exists (
        with recursive ancestors (id) as (
            select new.parent_category_id
            union
            select c.parent_category_id
              from categories c
              join ancestors a on a.id = c.id
             where c.parent_category_id is not null
        )
        select from ancestors where id = new.id
    ) then
        raise exception 'a category cannot be placed below itself'
            using errcode = 'check_violation',
                  constraint = 'categories_stay_a_tree',
                  table = tg_table_name,
                  schema = tg_table_schema,
                  column = 'parent_category_id';
    end if;
    return new;
end
$$;

create trigger categories_stay_a_tree
    before insert or update of id, parent_category_id on categories
    for each row
    when (new.parent_category_id is not null)
    execute function categories_stay_a_tree();

comment on table categories is
    'The tree that products are found in. A category with products or children cannot be deleted.';
