-- A cancelled order's money is given back and its parcel called off; a confirmed one's is not.
select 'disagree' as symptom, o.id as key, o.status, p.payment_status, s.shipping_status
from public.orders o
join public.order_payments p on p.order_id = o.id
join public.order_shippings s on s.order_id = o.id
where (o.status = 'cancelled', p.payment_status, s.shipping_status) not in (
  (true, 'refunded', 'cancelled'),
  (false, 'paid', 'pending')
);
