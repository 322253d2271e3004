-- expect: unsafe-migration (disallowed-unique-constraint)
alter table products add constraint one_name unique (name);
