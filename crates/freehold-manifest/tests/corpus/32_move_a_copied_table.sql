-- service: user
-- expect: unowned-table `elsewhere.users` is outside of the service
-- expect: published-table-gone `user.users` moves to another schema, but is used by `order`
alter table users set schema elsewhere;
