-- When everything has ended, no piece is promised any more.
select 'stuck' as symptom, i.product_id as key, i.reserved
from public.inventory i
where i.reserved <> 0;
