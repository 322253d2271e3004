-- service: user
-- manifest: ["id", "name"] => ["id", "name", "email"]
-- expect: contract-stale `user.users.email`
select 1;
