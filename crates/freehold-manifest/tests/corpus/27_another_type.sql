-- expect: published-column-retyped becomes `jsonb not null`, and was promised as `text not null`, but is used by `order`
-- freehold: allow changing-column-type: the corpus
alter table products alter column name type jsonb using to_jsonb(name);
