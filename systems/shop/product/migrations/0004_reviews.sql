-- What customers think.

create table product_reviews (
    id            uuid        primary key default gen_random_uuid(),
    product_id    uuid        not null references products (id) on delete cascade,
    user_id_ref   uuid,
    reviewer_name text,
    rating        integer     not null,
    comment       text,
    created_at    timestamptz not null default now(),

    constraint product_reviews_rating_is_1_to_5
        check (rating between 1 and 5),
    constraint product_reviews_comment_is_short
        check (length(comment) <= 4000),
    -- Reviews whose author is gone have no author to be unique by.
    constraint product_reviews_one_per_user
        unique (product_id, user_id_ref)
);

-- A product's page, newest review first.
create index product_reviews_by_product
    on product_reviews (product_id, created_at desc);

-- Refreshing reviewer_name, and forgetting an author, start from the user.
create index product_reviews_by_user
    on product_reviews (user_id_ref);

-- The author may be forgotten later but not left out at first; and who is forgotten is forgotten by name too.
create function product_reviews_author() returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    if tg_op = 'INSERT' then
        raise exception 'a review needs its author'
            using errcode = 'not_null_violation',
                  table = tg_table_name,
                  schema = tg_table_schema,
                  column = 'user_id_ref';
    end if;
    new.reviewer_name := null;
    return new;
end
$$;

create trigger product_reviews_author
    before insert or update on product_reviews
    for each row
    when (new.user_id_ref is null)
    execute function product_reviews_author();

comment on table product_reviews is
    'One review per customer and product.';
comment on column product_reviews.user_id_ref is
    'The author, a row of the user service. Null once that account is deleted.';
comment on column product_reviews.reviewer_name is
    'The author''s first name, kept current from the user service.';
