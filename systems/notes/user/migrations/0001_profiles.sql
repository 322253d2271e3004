-- Profiles: what people say of themselves. Their addresses and passwords are the auth service's.

create table users (
    -- The account's id.
    id           uuid        primary key,
    name         text        not null default '',
    profile_data jsonb       not null default '{}',
    created_at   timestamptz not null default now(),

    constraint users_name_is_short
        check (length(name) <= 100),
    constraint users_profile_data_is_an_object
        check (jsonb_typeof(profile_data) = 'object' and pg_column_size(profile_data) <= 65536)
);

-- A profile is made and taken away with its account. In between it is its owner's alone; others hear the name, by notes
-- that are shared with them.
alter table users enable row level security;

create policy read_own on users
    for select using (id = (select freehold.subject())::uuid);

create policy change_own on users
    for update using (id = (select freehold.subject())::uuid);
