-- service: order
-- expect: unsafe-migration (adding-foreign-key-constraint)
alter table order_history add constraint of_item foreign key (order_id) references order_items (id);
