-- service: order
-- manifest: "status", "total_amount"] => "status"]
-- expect: published-column-gone `order.orders.total_amount` is dropped; it was promised, though nobody in this system uses it order/migrations/0002_next.sql:2
-- freehold: allow ban-drop-column: the corpus
alter table orders drop column total_amount;
