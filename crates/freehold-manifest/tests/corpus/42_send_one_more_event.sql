-- service: order
-- manifest: "order.rejected"] => "order.rejected", "order.shipped"]
-- expect: contract-stale `order.shipped`
select 1;
