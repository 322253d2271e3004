-- Whose tokens are asked for, and which are refused before they end.

-- The issuer whose tokens this service asks for; empty where nobody is asked. Written at each installation, read by the service at
-- its start: one that was not told of it does not serve what others should not see.
create table if not exists freehold.issuer (
  single boolean primary key default true check (single),
  issuer text not null
);

-- Subjects whose sessions have ended: a token that was given before is refused. Filled from the events of the service that gives
-- tokens; forgotten when no token that it refuses can still be valid.
create table if not exists freehold.sessions_ended (
  subject    uuid primary key,
  -- Seconds since 1970, as in the claim `iat`.
  not_before bigint not null
);
