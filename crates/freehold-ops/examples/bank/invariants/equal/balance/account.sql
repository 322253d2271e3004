-- What is on an account, to the account service; the workload says it too.
select id as key, balance as value
  from accounts;
