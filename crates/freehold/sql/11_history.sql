-- What makes alterations of append-only rows show: which tables are under the chain, and what others' logs were seen to be.

-- Append-only tables whose rows have digests in the log: those that were there when it was installed, and every later one.
create table if not exists freehold.kept (
  name       text primary key,
  -- The table whose versions it keeps, if it is a companion.
  history_of text,
  since      timestamptz not null default now()
);

-- Where the logs of other services stood, as `freehold verify history` and `freehold up` saw them. Nobody changes it:
-- who forges a log would have to forge it here too.
create table if not exists freehold.witness (
  producer text not null,
  epoch    integer not null,
  position bigint not null,
  hash     bytea not null,
  seen_at  timestamptz not null default clock_timestamp(),
  primary key (producer, position, epoch, hash)
);
create or replace trigger freehold_append_only before update or delete on freehold.witness
for each row execute function freehold.refuse_change();
create or replace trigger freehold_append_only_truncate before truncate on freehold.witness
for each statement execute function freehold.refuse_change();
alter table freehold.witness enable always trigger freehold_append_only;
alter table freehold.witness enable always trigger freehold_append_only_truncate;
