-- What is in the house and what was sold is what there was. The world says what there was.
select i.product_id as key, i.quantity + coalesce(sum(r.quantity) filter (where r.state = 'sold'), 0) as value
from public.inventory i
left join public.stock_reservations r on r.product_id = i.product_id
group by i.product_id;
