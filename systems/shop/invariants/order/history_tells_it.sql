-- Each order's history begins at its opening, is without a gap, and ends where the order is.
with told as (
  select h.*,
         lag(h.to_status) over (partition by h.order_id order by h.id) as before,
         lead(h.id) over (partition by h.order_id order by h.id) is null as is_last
  from public.order_history h
)
select 'disagree' as symptom, t.order_id as key, t.from_status, t.to_status, o.status
from told t
left join public.orders o on o.id = t.order_id
where t.from_status is distinct from t.before
   or (t.is_last and t.to_status is distinct from o.status)
union all
select 'lost', o.id, null, null, o.status
from public.orders o
where not exists (select from public.order_history h where h.order_id = o.id);
