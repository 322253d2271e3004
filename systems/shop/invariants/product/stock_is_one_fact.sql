-- products.stock_quantity is inventory.quantity, and neither is less than nothing.
select 'disagree' as symptom, p.id as key, p.stock_quantity, i.quantity
from public.products p
left join public.inventory i on i.product_id = p.id
where p.stock_quantity <> coalesce(i.quantity, 0)
   or i.quantity < 0;
