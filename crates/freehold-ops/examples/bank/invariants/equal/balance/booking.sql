-- … and to the booking service.
select a.id as key, coalesce(sum(b.amount), 0) as value
  from accounts a
  left join bookings b on b.account_id_ref = a.id
 group by a.id;
