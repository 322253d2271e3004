-- Pieces of each product that were sold and stayed so.
select product_id as key, sum(quantity) as value
from public.stock_reservations
where state = 'sold'
group by product_id;
