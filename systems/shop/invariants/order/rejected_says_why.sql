-- A rejected order says why.
select 'lost' as symptom, o.id as key
from public.orders o
where o.status = 'rejected'
  and o.status_reason is null;
