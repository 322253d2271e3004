-- What belongs to an account and is removed with it.

create table user_addresses (
    id            uuid    primary key default gen_random_uuid(),
    user_id       uuid    not null references users (id) on delete cascade,
    address_line1 text    not null,
    address_line2 text,
    city          text    not null,
    state         text,
    postal_code   text,
    country       text    not null,
    is_default    boolean not null default false,

    -- State and postal code may be missing: half the world has no states, and Ireland long had no codes.
    constraint user_addresses_line1_is_given
        check (btrim(address_line1) <> '' and length(address_line1) <= 200),
    constraint user_addresses_city_is_given
        check (btrim(city) <> '' and length(city) <= 100),
    constraint user_addresses_country_is_given
        check (btrim(country) <> '' and length(country) <= 100)
);

create index user_addresses_by_user
    on user_addresses (user_id);

-- The guarantee: at most one default per user, also under concurrent writes.
create unique index user_addresses_one_default
    on user_addresses (user_id)
    where is_default;

-- The convenience: making one address the default takes it from the one that had it.
create function user_addresses_move_default() returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    update user_addresses
       set is_default = false
     where user_id = new.user_id
       and id <> new.id
       and is_default;
    return new;
end
$$;

create trigger user_addresses_move_default
    before insert or update on user_addresses
    for each row
    when (new.is_default)
    execute function user_addresses_move_default();

create table user_preferences (
    id               uuid primary key default gen_random_uuid(),
    user_id          uuid not null references users (id) on delete cascade,
    preference_key   text not null,
    preference_value text not null,

    constraint user_preferences_one_value_per_key
        unique (user_id, preference_key),
    constraint user_preferences_key_is_a_name
        check (preference_key ~ '^[a-z][a-z0-9_.-]{0,99}$'),
    constraint user_preferences_value_is_short
        check (length(preference_value) <= 4000)
);

comment on table user_addresses is
    'Where a customer has parcels sent. At most one is the default.';
comment on table user_preferences is
    'Single settings of a customer, one row per key: newsletter = weekly.';
