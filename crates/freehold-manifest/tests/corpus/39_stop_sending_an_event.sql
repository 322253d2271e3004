-- service: order
-- manifest: "order.placed", "order.confirmed", "order.rejected" => "order.placed", "order.rejected"
-- expect: event-gone `order.confirmed` is no longer published, but is used by `product` (hears) order/contract.toml
select 1;
