-- service: order
-- manifest: "order.placed", "order.confirmed", "order.rejected" => "order.placed", "order.confirmed"
-- expect: event-gone `order.rejected` is no longer published; it was promised, though nobody in this system uses it
select 1;
