create function products_name_is_trimmed() returns trigger language plpgsql as $$ begin new.name := btrim(new.name); return new; end $$;
create trigger products_name_is_trimmed before insert or update on products for each row execute function products_name_is_trimmed();
update products set name = btrim(name) where name <> btrim(name);
