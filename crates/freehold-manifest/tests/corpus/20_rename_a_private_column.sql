-- freehold: allow renaming-column: nothing names it
alter table products rename column cost to purchase_price;
