-- What the shop believes to have of each order: paid, and not given back. The world says what the provider has.
select order_id as key, amount as value
from public.order_payments
where payment_status = 'paid';
