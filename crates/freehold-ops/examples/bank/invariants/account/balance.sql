-- What is on an account is what was booked on it, each booking counted once.
select case when a.balance > b.booked then 'doubled' else 'lost' end as symptom, a.id as key, a.balance, b.booked
  from accounts a
  join (
      select account_id_ref, sum(amount) as booked
        from bookings
       group by account_id_ref
  ) b on b.account_id_ref = a.id
 where a.balance <> b.booked;
