-- Every order is confirmed, rejected or cancelled.
select 'stuck' as symptom, o.id as key, o.status
from public.orders o
where o.status not in ('confirmed', 'rejected', 'cancelled');
