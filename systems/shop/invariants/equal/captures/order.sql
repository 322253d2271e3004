-- Each payment that was ever taken for an order, refunded ones included. The world says how often money was taken.
select order_id as key, amount as value
from public.order_payments
where payment_status in ('paid', 'refunded');
