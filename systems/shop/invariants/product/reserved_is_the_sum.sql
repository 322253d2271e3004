-- What is promised of a product is what its reservations say. Less: something was given back twice.
select case when i.reserved < coalesce(sum(r.quantity), 0) then 'doubled' else 'lost' end as symptom,
       i.product_id as key, i.reserved, coalesce(sum(r.quantity), 0) as promised
from public.inventory i
left join public.stock_reservations r on r.product_id = i.product_id and r.state = 'reserved'
group by i.product_id, i.reserved
having i.reserved <> coalesce(sum(r.quantity), 0);
