-- Exactly one payment and one shipping of an order that was confirmed, none of a rejected one.
select case
         when payments > wanted or shippings > wanted then case wanted when 0 then 'unexpected' else 'doubled' end
         else 'lost'
       end as symptom,
       key, status, payments, shippings
from (
  select o.id as key,
         o.status,
         case when o.status = 'rejected' then 0 else 1 end as wanted,
         (select count(*) from public.order_payments p where p.order_id = o.id) as payments,
         (select count(*) from public.order_shippings s where s.order_id = o.id) as shippings
  from public.orders o
) c
where payments <> wanted
   or shippings <> wanted;
