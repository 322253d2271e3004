-- How a customer appears. Zero or one per account, so the account's id is the key.

create table user_profiles (
    user_id     uuid  primary key references users (id) on delete cascade,
    name        text  not null,
    preferences jsonb not null default '{}',

    constraint user_profiles_name_is_given
        check (btrim(name) <> '' and length(name) <= 200),
    constraint user_profiles_preferences_is_an_object
        check (jsonb_typeof(preferences) = 'object')
);

comment on table user_profiles is
    'How a customer appears, and what the front end remembers for them.';
comment on column user_profiles.name is
    'The name shown to others: a nickname, or a company.';
comment on column user_profiles.preferences is
    'A document the front end reads and writes whole. Settings that a service acts on are rows of user_preferences.';
