-- Sagas that this service orchestrates.

create table if not exists freehold.saga (
  id          uuid primary key,
  name        text not null,
  -- The definition it was started under; it ends under the same.
  version     integer not null,
  -- What it is about; its messages carry it as their key.
  key         text not null,
  -- running: set at the start. Forward steps are made.
  -- compensating: set by a refusal, a lasting fault or a timeout before the pivot. Steps are undone in reverse.
  -- completed, compensated: set at the end.
  -- stuck: set when a step that must succeed was refused or keeps failing; cleared by its success or by an operator.
  state       text not null check (state in ('running', 'compensating', 'completed', 'compensated', 'stuck')),
  -- The saga's own fields.
  data        json not null,
  -- How far it is: stage, direction, and each step's mark.
  progress    json not null,
  -- Why it turned round or is stuck.
  reason      text,
  traceparent text,
  started_at  timestamptz not null default clock_timestamp(),
  changed_at  timestamptz not null default clock_timestamp()
) with (fillfactor = 60);

-- One saga of a name at a time for a key, and none after one that was completed; a compensated one may be tried again.
create unique index if not exists saga_by_key on freehold.saga (name, key) where state <> 'compensated';
create index if not exists saga_compensated on freehold.saga (name, key, started_at) where state = 'compensated';
create index if not exists saga_unfinished on freehold.saga (state, started_at) where state not in ('completed', 'compensated');

-- Its story: a line for everything that happened to a step. Never changed.
create table if not exists freehold.saga_history (
  id        bigint generated always as identity primary key,
  saga      uuid not null,
  at        timestamptz not null default clock_timestamp(),
  step      text,
  direction text,
  event     text not null,
  attempt   integer,
  detail    text
);
create index if not exists saga_history_by_saga on freehold.saga_history (saga, id);

-- The steps of each definition as a program first ran them: a program that means others by the same version is refused.
create table if not exists freehold.saga_definition (
  name    text not null,
  version integer not null,
  steps   json not null,
  primary key (name, version)
);

-- Writes down what one turn of a saga came to: its row, its story, what it waits for, what it asks of others. One statement
-- for all of it.
create or replace function freehold.keep_saga(
  saga uuid, state text, data json, progress json, reason text,
  steps text[], directions text[], events text[], attempts integer[], details text[],
  settled_steps text[], settled_directions text[],
  wait_kinds text[], wait_steps text[], wait_directions text[], wait_ms bigint[],
  key text, commands text[], bodies text[]
)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
  update freehold.saga s
  set state = keep_saga.state,
      data = keep_saga.data,
      progress = keep_saga.progress,
      reason = keep_saga.reason,
      changed_at = clock_timestamp()
  where s.id = keep_saga.saga;

  insert into freehold.saga_history (saga, step, direction, event, attempt, detail)
  select keep_saga.saga, h.step, h.direction, h.event, h.attempt, h.detail
  from unnest(steps, directions, events, attempts, details) with ordinality as h(step, direction, event, attempt, detail, place)
  order by h.place;

  if cardinality(settled_steps) > 0 then
    delete from freehold.due d
    using unnest(settled_steps, settled_directions) as g(step, direction)
    where d.saga = keep_saga.saga
      and (d.step, d.direction) = (g.step, g.direction)
      and d.kind in ('timeout', 'retry', 'call');
  end if;

  if cardinality(wait_kinds) > 0 then
    insert into freehold.due (due_at, kind, saga, step, direction)
    select clock_timestamp() + w.ms * interval '1 ms', w.kind, keep_saga.saga, w.step, w.direction
    from unnest(wait_kinds, wait_steps, wait_directions, wait_ms) as w(kind, step, direction, ms)
    on conflict (saga, step, direction) where kind in ('timeout', 'retry', 'call') do update
    set due_at = excluded.due_at,
        kind = excluded.kind;
  end if;

  for place in 1 .. cardinality(commands) loop
    perform freehold.send(
      split_part(commands[place], '.', 1) || '.commands', commands[place], keep_saga.key, bodies[place]::json
    );
  end loop;
end
$$;

-- Stores what came of a command and answers it, in the transaction of its effect.
create or replace function freehold.answer(
  command uuid, type text, key text, outcome text, reason text, data json,
  reply_topic text, saga uuid, step text, direction text
)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  insert into freehold.obeyed (command, type, key, outcome, reason, data)
  values (answer.command, answer.type, answer.key, answer.outcome, answer.reason, answer.data)
  on conflict on constraint obeyed_pkey do nothing;
  perform freehold.send(
    answer.reply_topic,
    answer.type || case answer.outcome when 'done' then '.done' else '.refused' end,
    answer.key,
    json_build_object(
      'command', answer.command,
      'saga', answer.saga,
      'step', answer.step,
      'direction', answer.direction,
      'outcome', case answer.outcome when 'done' then 'done' else 'refused' end,
      'reason', answer.reason,
      'data', answer.data
    )
  );
end
$$;
