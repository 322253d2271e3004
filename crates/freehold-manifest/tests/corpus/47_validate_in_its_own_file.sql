-- service: order
alter table order_history validate constraint order_history_order_id_fkey;
