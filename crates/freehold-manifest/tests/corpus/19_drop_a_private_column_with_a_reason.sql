-- freehold: allow ban-drop-column: nothing has named it since 2.3
alter table products drop column cost;
