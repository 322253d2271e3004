-- The same rows every time: arithmetic instead of chance.

insert into countries (code, name, continent)
values ('de', 'Germany', 'Europe'),
       ('dk', 'Denmark', 'Europe'),
       ('pt', 'Portugal', 'Europe'),
       ('jp', 'Japan', 'Asia'),
       ('kr', 'South Korea', 'Asia'),
       ('ca', 'Canada', 'North America'),
       ('pe', 'Peru', 'South America'),
       ('is', 'Iceland', 'Europe');

-- 1 leads 2 and 3; 2 leads 4 to 6, 3 leads 7 to 9, 4 leads 10 and 11; nobody leads or is led by 12.
insert into employees (id, name, title, manager_id, salary, remote)
values (1, 'Ines', 'Director', null, 9000, false),
       (2, 'Jonas', 'Head of sales', 1, 6500.50, true),
       (3, 'Mei', 'Head of stock', 1, 6400, null),
       (4, 'Omar', 'Seller', 2, 4100, true),
       (5, 'Pia', 'Seller', 2, 4100, false),
       (6, 'Quentin', null, 2, 3900.25, null),
       (7, 'Rosa', 'Packer', 3, 3600, false),
       (8, 'Sven', 'Packer', 3, 3550, false),
       (9, 'Tomoko', 'Driver', 3, 3700, true),
       (10, 'Uma', 'Trainee', 4, 2100, true),
       (11, 'Viktor', 'Trainee', 4, 2100, false),
       (12, 'Wanda', 'Auditor', null, 7000, true);

insert into addresses (id, street, city, country_code)
select n,
       n || ' ' || (array['Mill Lane', 'Harbour Street', 'Rua Nova', 'Hauptstraße', 'Cedar Road'])[1 + n % 5],
       (array['Aarhus', 'Porto', 'Leipzig', 'Kyoto', 'Reykjavík', 'Halifax'])[1 + n % 6],
       (array['dk', 'pt', 'de', 'jp', 'is', 'ca'])[1 + n % 6]
  from generate_series(1, 30) n;

insert into customers (id, name, email, level, tags, lucky, settings, raw, since, born, credit, score, visits, active, employee_id)
select ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid,
       (array['Ada', 'Bo', 'Carla', 'Dmitri', 'Eun-ji', 'Féodor', 'Gus, Jr.', 'Hana "H"'])[1 + n % 8] || ' ' || n,
       'customer' || n || '@example.com',
       (array['bronze', 'silver', 'gold']::customer_level[])[1 + n % 3],
       case n % 4
           when 0 then '{}'
           when 1 then array['new']
           when 2 then array['new', 'vip']
           else array['has space', 'comma,inside', 'vip']
       end,
       case when n % 5 = 0 then null else array[n, n * 2, n % 7] end,
       jsonb_build_object(
           'theme', (array['dark', 'light'])[1 + n % 2],
           'window', jsonb_build_object('width', 800 + n * 10, 'full', n % 3 = 0),
           'recent', jsonb_build_array(n, n + 1, jsonb_build_object('id', n + 2))),
       case when n % 6 = 0 then null else json_build_object('n', n, 'note', 'raw ' || n) end,
       timestamptz '2024-01-01 08:00:00+00' + n * interval '17 hours',
       case when n % 7 = 0 then null else date '1960-01-01' + n * 301 end,
       case when n % 4 = 3 then null else (n * 12.5)::numeric(12, 2) end,
       case when n % 9 = 0 then null else n * 0.25 - 3 end,
       n::bigint * 1000000007,
       case n % 3 when 0 then true when 1 then false end,
       case when n % 8 = 0 then null else 4 + n % 3 end
  from generate_series(1, 40) n;

insert into products (id, sku, name, description, price, weight, ratio, discontinued, colours, sizes, attributes,
                      stock, season, promoted, photo, barcode)
select n,
       'SKU-' || lpad(n::text, 4, '0'),
       (array['Tea pot', 'Coffee cup', 'Teaspoon', 'Wool blanket', 'Reading lamp', 'Garden chair'])[1 + n % 6] || ' ' || n,
       (array['A pot that pours without a drop.', 'Holds hot coffee, cools slowly.', 'Small, bright and quick to clean.',
              'Warm wool from the quiet north.', 'Bright light for long evenings of reading.',
              'Stands outside in all weather, 100% oak.', ''])[1 + n % 7],
       (n % 20) * 4.95 + 1,
       case when n % 5 = 0 then null else n * 0.125 end,
       n * 0.5,
       n % 10 = 0,
       case n % 4
           when 0 then '{}'
           when 1 then array['red']
           when 2 then array['red', 'blue']
           else array['dark green', 'blue', 'off-white']
       end,
       case when n % 6 = 0 then null else array[n % 3, n % 4, 40] end,
       jsonb_build_object(
           'material', (array['clay', 'steel', 'wool'])[1 + n % 3],
           'dimensions', jsonb_build_object('width', n, 'height', n * 2),
           'parts', jsonb_build_array('lid', n),
           'eco', n % 2 = 0),
       case when n % 9 = 0 then null else int4range(n, n + 10) end,
       case when n % 8 = 0 then null else daterange(date '2025-01-01' + n * 5, date '2025-01-01' + n * 5 + 30) end,
       case when n % 7 = 0
            then null
            else tstzrange(timestamptz '2025-01-01 00:00:00+00' + n * interval '1 day',
                           timestamptz '2025-01-01 00:00:00+00' + (n + 3) * interval '1 day')
       end,
       case when n % 3 = 0 then decode(lpad(to_hex(n * 77), 8, '0'), 'hex') end,
       case when n % 2 = 0 then ('11111111-2222-4333-8444-' || lpad(n::text, 12, '0'))::uuid end
  from generate_series(1, 60) n;

insert into product_details (product_id, manual, warranty_months, made_in)
select n,
       case when n % 4 = 0 then null else 'Manual of ' || n end,
       (n % 5) * 12,
       case when n % 6 = 0 then null else (array['de', 'dk', 'pt', 'jp', 'kr'])[1 + n % 5] end
  from generate_series(1, 60) n
 where n % 3 <> 0;

insert into tags (id, label)
values (1, 'kitchen'),
       (2, 'gift'),
       (3, 'warm'),
       (4, 'outdoor'),
       (5, 'light, bright'),
       (6, 'sale'),
       (7, 'nobody has it');

insert into product_tags (product_id, tag_id, note)
select p, t, case when (p + t) % 3 = 0 then 'note ' || p || '/' || t end
  from generate_series(1, 60) p, generate_series(1, 6) t
 where (p + t) % 4 = 0 and p % 11 <> 0;

insert into orders (id, customer_id, billing_address_id, shipping_address_id, status, placed_at, comment)
select n,
       ('00000000-0000-4000-8000-' || lpad((1 + n * 11 % 35)::text, 12, '0'))::uuid,
       1 + n % 30,
       case when n % 4 = 0 then null else 1 + n * 3 % 30 end,
       (array['open', 'paid', 'sent', 'cancelled'])[1 + n % 4],
       timestamptz '2025-03-01 12:00:00+00' + n * interval '5 hours 7 minutes',
       case when n % 5 = 0 then 'ring twice, please' end
  from generate_series(1, 80) n;

insert into order_lines (order_id, line_no, product_id, quantity, price)
select o, l, 1 + (o * 3 + l * 7) % 60, 1 + (o + l) % 5, ((o + l * 3) % 20) * 2.5 + 0.99
  from generate_series(1, 80) o, generate_series(1, 4) l
 where l <= o % 5;

insert into shipments (order_id, line_no, carrier, sent_on)
select order_id, line_no, (array['Blue Van', 'Post', 'Pigeon'])[1 + (order_id + line_no) % 3],
       case when order_id % 3 = 0 then null else date '2025-03-05' + order_id end
  from order_lines
 where order_id % 4 <> 1
 order by order_id, line_no;

insert into odd_names
values (1, 170.5, 'dot one', 'Alpha', 3, 'x', 'q1', true),
       (2, 182.0, 'dot two', 'Beta', 1, 'y', 'q"2', false),
       (3, null, 'a,b', 'gamma ray', 2, null, '(q3)', null),
       (4, 99.9, null, 'Alpha', null, 'x', null, true);

insert into readings (id, sensor, value, at)
select n, 'sensor ' || n % 7, (n * 37 % 1000) / 8.0, timestamptz '2025-01-01 00:00:00+00' + n * interval '1 minute'
  from generate_series(1, 2500) n;

-- The ids above were given: whatever comes next counts on from them.
select setval(pg_get_serial_sequence(t, 'id'), 1000)
  from unnest(array['employees', 'addresses', 'products', 'tags', 'orders', 'shipments']) t;
