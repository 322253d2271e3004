-- expect: unsafe-migration (ban-drop-column)
alter table products drop column cost;
