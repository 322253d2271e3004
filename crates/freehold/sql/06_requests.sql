-- What clients asked under an Idempotency-Key, and what they were answered.

-- Written in the transaction of the write it answers; removed by the service a day later. A key that is at work holds an
-- advisory lock and no row.
create table if not exists freehold.idempotency (
  key         text primary key,
  -- SHA-256 of the request: another request under the same key is refused.
  fingerprint bytea not null,
  status      integer not null,
  headers     json not null,
  body        bytea not null,
  -- The transaction that wrote, if it did: what `Freehold-Position` names.
  transaction bigint,
  created_at  timestamptz not null default clock_timestamp()
);
create index if not exists idempotency_created on freehold.idempotency (created_at);
