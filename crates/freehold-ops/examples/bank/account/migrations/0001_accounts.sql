create table accounts (
    id         uuid           primary key default gen_random_uuid(),
    holder     text           not null,
    balance    numeric(14, 2) not null default 0,
    updated_at timestamptz    not null default now()
);
