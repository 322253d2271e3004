-- A payment is what the order costs.
select 'disagree' as symptom, o.id as key, o.total_amount, p.amount
from public.orders o
join public.order_payments p on p.order_id = o.id
where p.amount <> o.total_amount;
