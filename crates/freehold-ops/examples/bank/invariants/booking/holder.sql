-- The holder's name on a booking is the account's.
select 'disagree' as symptom, b.id as key, b.holder as shown, a.holder as is_called
  from bookings b
  join accounts a on a.id = b.account_id_ref
 where b.holder <> a.holder;
