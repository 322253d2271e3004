-- What was acknowledged is booked, once; nothing else is.
select id as key, 'booked' as outcome
  from bookings;
