create table makers (
  id      bigint primary key,
  name    text not null,
  country text not null
);

create table things (
  id          uuid primary key default gen_random_uuid(),
  maker_id    bigint references makers,
  name        text not null,
  description text not null default 'as good as new, with all its papers and the box it came in',
  price       numeric(12,2) not null check (price >= 0),
  stock       integer not null default 0,
  sent_at     timestamptz not null default now(),
  version     bigint not null default 1,
  updated_at  timestamptz not null default now()
);

create table quiet_things (
  like things including all,
  foreign key (maker_id) references makers
);
create index on quiet_things (maker_id, id);
