-- Why an order is where it is: a rejected order says why, and so does its history.

alter table orders
    add column status_reason text;

alter table order_history
    add column reason text;

-- A reason belongs to the change it was given for.
create function orders_forget_reason() returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    new.status_reason := null;
    return new;
end
$$;

create trigger orders_forget_reason
    before update on orders
    for each row
    when (old.status <> new.status
          and old.status_reason is not null
          and new.status_reason is not distinct from old.status_reason)
    execute function orders_forget_reason();

create or replace function orders_write_history() returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    case tg_op
        when 'INSERT' then
            insert into order_history (order_id, to_status, reason)
            values (new.id, new.status, new.status_reason);
        when 'UPDATE' then
            insert into order_history (order_id, from_status, to_status, reason)
            values (new.id, old.status, new.status, new.status_reason);
        when 'DELETE' then
            insert into order_history (order_id, from_status, to_status)
            values (old.id, old.status, 'deleted');
    end case;
    return null;
end
$$;

comment on column orders.status_reason is
    'Why it has this status, where there is something to say: `reserve_stock: out_of_stock: …` of a rejected order.';
comment on column order_history.reason is
    'What orders.status_reason said at that moment.';
