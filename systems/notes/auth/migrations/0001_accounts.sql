-- What an auth service keeps of its accounts: the tables of the crate freehold-auth, which alone writes them.
-- Every token is kept as its SHA-256; no private key is kept at all.

-- Who changes anything of an account, its sessions or its tokens locks its row here first.
create table users (
  id                uuid primary key,
  email             text not null check (octet_length(email) between 3 and 254),
  email_verified_at timestamptz,
  email_verified    boolean not null generated always as (email_verified_at is not null) stored,
  -- A PHC string: it names its own parameters.
  password_hash     text not null,
  -- Access tokens issued before it are refused: set when sessions are ended.
  tokens_from       timestamptz not null default timestamptz 'epoch',
  created_at        timestamptz not null default clock_timestamp()
);

-- One account per address, whatever its capitals; "C" so that every database agrees on what a capital is.
create unique index users_email on users (lower(email collate "C"));
create index users_unconfirmed on users (created_at) where email_verified_at is null;

-- A session is the family of the refresh tokens that follow from one log-in.
create table sessions (
  id           uuid primary key,
  user_id      uuid not null references users on delete cascade,
  -- With the service's key it gives each token its successor.
  salt         bytea not null check (octet_length(salt) = 32),
  address      inet not null,
  device       text not null,
  created_at   timestamptz not null default clock_timestamp(),
  last_used_at timestamptz not null default clock_timestamp(),
  expires_at   timestamptz not null,
  ended_at     timestamptz,
  ended_by     text check (ended_by in ('log_out', 'password', 'replay', 'too_many')),
  check ((ended_at is null) = (ended_by is null))
);

create index sessions_user_id on sessions (user_id);
create index sessions_expires_at on sessions (expires_at);

create table refresh_tokens (
  digest     bytea primary key check (octet_length(digest) = 32),
  session_id uuid not null references sessions on delete cascade,
  created_at timestamptz not null default clock_timestamp(),
  expires_at timestamptz not null,
  -- Set by the first refresh. Shown again within the grace, it is answered with the same successor; later it is a theft.
  used_at    timestamptz
);

create index refresh_tokens_session_id on refresh_tokens (session_id);
create index refresh_tokens_expires_at on refresh_tokens (expires_at);

-- What a link in a mail carries: each is used once, for what it was made for.
create table one_time_tokens (
  digest        bytea primary key check (octet_length(digest) = 32),
  user_id       uuid not null references users on delete cascade,
  purpose       text not null check (purpose in ('verify', 'reset', 'change_email')),
  -- The address it was sent to.
  email         text not null,
  -- Of a registration: the password that whoever confirms it chose.
  password_hash text,
  created_at    timestamptz not null default clock_timestamp(),
  expires_at    timestamptz not null,
  used_at       timestamptz
);

create index one_time_tokens_user_id on one_time_tokens (user_id);
create index one_time_tokens_expires_at on one_time_tokens (expires_at);

-- What was asked for and is answered by mail. It is written down whether or not there is such an account, and done
-- afterwards: so the answer says nothing, and takes as long.
create table account_requests (
  id            uuid primary key,
  kind          text not null check (kind in ('register', 'verify', 'reset', 'change_email')),
  email         text not null check (octet_length(email) between 3 and 254),
  user_id       uuid,
  password_hash text,
  created_at    timestamptz not null default clock_timestamp(),
  due_at        timestamptz not null default clock_timestamp()
);

create index account_requests_due_at on account_requests (due_at);

-- Mails to be sent: gone when they are. A mail's token follows from its id and the service's key.
create table mails (
  id         uuid primary key,
  kind       text not null check (kind in
    ('verify', 'exists', 'reset', 'change_email', 'email_changed', 'password_changed', 'deleted')),
  recipient  text not null,
  created_at timestamptz not null default clock_timestamp(),
  due_at     timestamptz not null default clock_timestamp(),
  attempts   integer not null default 0
);

create index mails_due_at on mails (due_at);

-- Attempts, counted by account and by address. What is counted is kept as a digest: an address that somebody tries need
-- not be anybody's account.
create table throttles (
  bucket   bytea primary key check (octet_length(bucket) = 32),
  attempts integer not null,
  -- The next attempt is not before it.
  free_at  timestamptz not null,
  seen_at  timestamptz not null
);

create index throttles_seen_at on throttles (seen_at);

-- The keys that access tokens are signed with. The private half follows from the salt and the service's key.
create table signing_keys (
  kid        text primary key,
  salt       bytea not null check (octet_length(salt) = 32),
  public_key bytea not null check (octet_length(public_key) = 32),
  -- Published before it signs, so that every service knows it by then.
  signs_from timestamptz not null,
  created_at timestamptz not null default clock_timestamp()
);

-- Who did what, and who was refused: append-only by the manifest.
create table audit_logs (
  id         uuid primary key,
  at         timestamptz not null default clock_timestamp(),
  action     text not null,
  outcome    text not null check (outcome in ('done', 'refused')),
  -- No foreign key: it outlives the account.
  user_id    uuid,
  session_id uuid,
  address    inet,
  device     text,
  trace_id   text
);

create index audit_logs_user_id on audit_logs (user_id, at);
