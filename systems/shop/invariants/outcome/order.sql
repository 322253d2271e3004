-- Every order whose place_order ended, with what became of it.
select s.key, o.status as outcome
from freehold.saga s
join public.orders o on o.id = s.key::uuid
where s.name = 'place_order'
  and s.state in ('completed', 'compensated');
