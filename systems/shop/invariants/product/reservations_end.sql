-- Every reservation was released, sold or returned.
select 'stuck' as symptom, r.order_id_ref as key, r.product_id, r.quantity
from public.stock_reservations r
where r.state = 'reserved';
