-- Customer accounts.

create table users (
    id            uuid        primary key default gen_random_uuid(),
    email         text        not null,
    password_hash text,
    first_name    text        not null,
    last_name     text        not null default '',
    created_at    timestamptz not null default now(),
    updated_at    timestamptz not null default now(),

    constraint users_email_is_an_address
        check (length(email) <= 254 and email ~ '^[^@[:space:]]+@[^@[:space:]]+\.[^@[:space:]]+$'),
    -- A plain password can never be stored by mistake: only what argon2, scrypt or bcrypt produce fits.
    constraint users_password_hash_is_a_hash
        check (password_hash ~ '^\$(argon2id?|scrypt|2[aby])\$[^[:space:]]{20,}$'),
    constraint users_first_name_is_given
        check (btrim(first_name) <> '' and length(first_name) <= 100),
    -- May be empty: not everyone has two names.
    constraint users_last_name_is_short
        check (length(last_name) <= 100)
);

-- Anna@Example.com and anna@example.com are one person; the address is kept as it was written.
create unique index users_email_key
    on users (lower(email));

-- The customer list: by last name, then first.
create index users_by_name
    on users (last_name, first_name);

comment on table users is
    'One row per customer account.';
comment on column users.password_hash is
    'Null until a password is set. Never published: no other service sees it.';
