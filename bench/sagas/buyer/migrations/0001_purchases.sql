create table purchases (
    id     text    primary key,
    item   integer not null,
    status text    not null default 'open'
);
