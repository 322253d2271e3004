-- Pieces of each product in orders that were confirmed and stayed so.
select i.product_id_ref as key, sum(i.quantity) as value
from public.order_items i
join public.orders o on o.id = i.order_id
where o.status = 'confirmed'
group by i.product_id_ref;
