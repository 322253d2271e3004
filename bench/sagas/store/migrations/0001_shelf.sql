create table shelf (
    item   integer primary key,
    pieces integer not null
);
insert into shelf select i, 1000000 from generate_series(0, 999) i;

create table reserved (
    purchase text    primary key,
    item     integer not null
);

create table heard (
    place  bigint  generated always as identity primary key,
    round  integer not null,
    key    text    not null,
    number integer not null
);

create table poison (
    key text primary key
);
