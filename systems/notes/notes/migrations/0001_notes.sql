-- Notes, their tags, and with whom they are shared.

create table notes (
    id          uuid        primary key default gen_random_uuid(),
    -- No foreign key: the user is in another database. The library checks it against the copy of users.
    user_id_ref uuid        not null default freehold.subject()::uuid,
    title       text        not null default '',
    pinned      boolean     not null default false,
    created_at  timestamptz not null default now(),

    constraint notes_title_is_short
        check (length(title) <= 200)
);

create index notes_user_id_ref on notes (user_id_ref, created_at);

create table tags (
    id          uuid        primary key default gen_random_uuid(),
    user_id_ref uuid        not null default freehold.subject()::uuid,
    name        text        not null,
    created_at  timestamptz not null default now(),

    -- The owner comes first: that somebody else has a tag of this name is not told.
    constraint tags_name_is_mine_once
        unique (user_id_ref, name),
    constraint tags_name_is_given
        check (btrim(name) <> '' and length(name) <= 50)
);

create table note_tags (
    note_id uuid not null references notes on delete cascade,
    tag_id  uuid not null references tags on delete cascade,
    primary key (note_id, tag_id)
);

create index note_tags_tag_id on note_tags (tag_id);

create table shares (
    note_id     uuid        not null references notes on delete cascade,
    user_id_ref uuid        not null,
    -- Kept current by the library.
    user_name   text        not null default '',
    may_edit    boolean     not null default false,
    created_at  timestamptz not null default now(),
    primary key (note_id, user_id_ref)
);

create index shares_user_id_ref on shares (user_id_ref);
