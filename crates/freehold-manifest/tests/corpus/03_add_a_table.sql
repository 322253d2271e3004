-- manifest: [owns.products] => [owns.labels]\n[owns.products]
create table labels (id bigint primary key, name text not null);
create index labels_by_name on labels (name);
alter table labels add constraint short check (length(name) < 100);
