-- Every change of an order's status. Written by the database, so no program can forget it; append-only, so none
-- can rewrite it.

create table order_history (
    -- A number, not a uuid: the changes of one order are made under its row's lock, so their numbers are in
    -- the order they happened, which no clock can promise.
    id          bigint      generated always as identity primary key,
    -- No foreign key: the history outlives the order, and must not keep it from being deleted.
    order_id    uuid        not null,
    from_status text,
    to_status   text        not null,
    changed_at  timestamptz not null default now(),

    constraint order_history_statuses_differ
        check (from_status is distinct from to_status)
);

create index order_history_by_order
    on order_history (order_id, id);

insert into order_history (order_id, to_status, changed_at)
select id, status, created_at
  from orders
 order by created_at, id;

create function orders_write_history() returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    case tg_op
        when 'INSERT' then
            insert into order_history (order_id, to_status)
            values (new.id, new.status);
        when 'UPDATE' then
            insert into order_history (order_id, from_status, to_status)
            values (new.id, old.status, new.status);
        when 'DELETE' then
            insert into order_history (order_id, from_status, to_status)
            values (old.id, old.status, 'deleted');
    end case;
    return null;
end
$$;

create trigger orders_write_history
    after insert or delete on orders
    for each row
    execute function orders_write_history();

create trigger orders_write_history_of_status
    after update on orders
    for each row
    when (old.status <> new.status)
    execute function orders_write_history();

comment on table order_history is
    'Every change of an order''s status. Append-only.';
comment on column order_history.from_status is
    'Null for the first line of an order.';
comment on column order_history.to_status is
    'The status after the change, or `deleted`.';
