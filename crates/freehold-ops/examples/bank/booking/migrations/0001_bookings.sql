create table bookings (
    id             uuid           primary key default gen_random_uuid(),
    account_id_ref uuid           not null,
    holder         text           not null,
    amount         numeric(12, 2) not null,
    updated_at     timestamptz    not null default now()
);

create index bookings_by_account
    on bookings (account_id_ref);
