// Related rows inside the rows that are asked for.

import { api, same, value } from '../harness.mjs'

export async function embedding() {
  await shapes()
  await hints()
  await conditions()
}

async function shapes() {
  await same(
    'embeds the one row a foreign key leads to',
    api.from('orders').select('id,customers(name,email)').order('id'),
    `select o.id, json_build_object('name', c.name, 'email', c.email) as customers
       from orders o join customers c on c.id = o.customer_id order by o.id`,
  )
  await same(
    'embeds null where a foreign key is null',
    api.from('customers').select('name,employees(name)').order('id'),
    `select c.name, case when e.id is not null then json_build_object('name', e.name) end as employees
       from customers c left join employees e on e.id = c.employee_id order by c.id`,
  )
  await same(
    'embeds all columns of the related row',
    api.from('addresses').select('*,countries(*)').order('id').limit(5),
    `select a.*, to_json(c) as countries from addresses a join countries c on c.code = a.country_code order by a.id limit 5`,
  )
  await same(
    'embeds the rows that lead here, none as an empty array',
    api
      .from('orders')
      .select('id,order_lines(line_no,quantity)')
      .order('id')
      .order('line_no', { referencedTable: 'order_lines' }),
    `select o.id, coalesce((select json_agg(json_build_object('line_no', l.line_no, 'quantity', l.quantity) order by l.line_no)
                              from order_lines l where l.order_id = o.id), '[]') as order_lines
       from orders o order by o.id`,
  )
  await same(
    'embeds through a join table',
    api.from('products').select('id,tags(label)').order('id').order('id', { referencedTable: 'tags' }),
    `select p.id, coalesce((select json_agg(json_build_object('label', t.label) order by t.id)
                              from product_tags pt join tags t on t.id = pt.tag_id where pt.product_id = p.id), '[]') as tags
       from products p order by p.id`,
  )
  await same(
    'embeds through a join table the other way',
    api.from('tags').select('label,products(id)').order('id').order('id', { referencedTable: 'products' }),
    `select t.label, coalesce((select json_agg(json_build_object('id', pt.product_id) order by pt.product_id)
                                 from product_tags pt where pt.tag_id = t.id), '[]') as products
       from tags t order by t.id`,
  )
  await same(
    'a unique foreign key embeds an object',
    api.from('products').select('id,product_details(warranty_months,manual)').order('id').limit(8),
    `select p.id, case when d.product_id is not null
                       then json_build_object('warranty_months', d.warranty_months, 'manual', d.manual) end as product_details
       from products p left join product_details d on d.product_id = p.id order by p.id limit 8`,
  )
  await same(
    'embeds three tables deep, forth and back',
    api
      .from('customers')
      .select('name,orders(id,order_lines(line_no,products(name,product_details(made_in,countries(name)))))')
      .lte('visits', 6 * 1000000007)
      .order('id')
      .order('id', { referencedTable: 'orders' })
      .order('line_no', { referencedTable: 'orders.order_lines' }),
    `select c.name, coalesce((
         select json_agg(json_build_object('id', o.id, 'order_lines', coalesce((
             select json_agg(json_build_object('line_no', l.line_no, 'products', json_build_object(
                        'name', p.name, 'product_details', case when d.product_id is not null then json_build_object(
                            'made_in', d.made_in, 'countries', case when x.code is not null then json_build_object('name', x.name) end) end))
                    order by l.line_no)
               from order_lines l
               join products p on p.id = l.product_id
               left join product_details d on d.product_id = p.id
               left join countries x on x.code = d.made_in
              where l.order_id = o.id), '[]')) order by o.id)
           from orders o where o.customer_id = c.id), '[]') as orders
       from customers c where c.visits <= 6 * 1000000007::bigint order by c.id`,
  )
  await same(
    'embeds over a foreign key of two columns',
    api.from('shipments').select('id,order_lines(quantity,products(sku))').order('id').limit(20),
    `select s.id, json_build_object('quantity', l.quantity, 'products', json_build_object('sku', p.sku)) as order_lines
       from shipments s join order_lines l using (order_id, line_no) join products p on p.id = l.product_id order by s.id limit 20`,
  )
  await same(
    'embeds several relations beside each other',
    api
      .from('orders')
      .select('id,customers(name),order_lines(line_no),billing(city)')
      .eq('id', 39)
      .order('line_no', { referencedTable: 'order_lines' }),
    `select o.id, json_build_object('name', c.name) as customers,
            (select json_agg(json_build_object('line_no', line_no) order by line_no) from order_lines where order_id = o.id) as order_lines,
            json_build_object('city', a.city) as billing
       from orders o join customers c on c.id = o.customer_id join addresses a on a.id = o.billing_address_id where o.id = 39`,
  )
  await same(
    'a view with links is embedded, as an object where its key is the link',
    api.from('orders').select('id,order_totals(lines,total)').order('id').limit(10),
    `select o.id, json_build_object('lines', t.lines, 'total', t.total) as order_totals
       from orders o join order_totals t on t.order_id = o.id order by o.id limit 10`,
  )
  await same(
    'a view with links embeds what they lead to',
    api.from('order_totals').select('total,orders(status),customers(name)').order('order_id').limit(10),
    `select t.total, json_build_object('status', o.status) as orders, json_build_object('name', c.name) as customers
       from order_totals t join orders o on o.id = t.order_id join customers c on c.id = t.customer_id order by t.order_id limit 10`,
  )
}

async function hints() {
  await same(
    'a foreign key of two is chosen by its name',
    api.from('orders').select('id,billed:addresses!billing(city),sent:addresses!shipping(city)').order('id'),
    `select o.id, json_build_object('city', b.city) as billed,
            case when s.id is not null then json_build_object('city', s.city) end as sent
       from orders o join addresses b on b.id = o.billing_address_id left join addresses s on s.id = o.shipping_address_id order by o.id`,
  )
  await same(
    'a foreign key of two is chosen by its column',
    api.from('orders').select('id,addresses!shipping_address_id(city)').order('id').limit(9),
    `select o.id, case when s.id is not null then json_build_object('city', s.city) end as addresses
       from orders o left join addresses s on s.id = o.shipping_address_id order by o.id limit 9`,
  )
  await same(
    'a column stands for the row it leads to',
    api.from('orders').select('id,shipping_address_id,to:shipping_address_id(city)').order('id').limit(9),
    `select o.id, o.shipping_address_id, case when s.id is not null then json_build_object('city', s.city) end as to
       from orders o left join addresses s on s.id = o.shipping_address_id order by o.id limit 9`,
  )
  await same(
    'both foreign keys, from the other side',
    api
      .from('addresses')
      .select('id,billed:orders!billing(id),sent:orders!shipping(id)')
      .order('id')
      .order('id', { referencedTable: 'billed' })
      .order('id', { referencedTable: 'sent' }),
    `select a.id,
            coalesce((select json_agg(json_build_object('id', o.id) order by o.id) from orders o where o.billing_address_id = a.id), '[]') as billed,
            coalesce((select json_agg(json_build_object('id', o.id) order by o.id) from orders o where o.shipping_address_id = a.id), '[]') as sent
       from addresses a order by a.id`,
  )
  await same(
    'a table that leads to itself: who leads',
    api.from('employees').select('name,manager:manager_id(name,manager:manager_id(name))').order('id'),
    `select e.name, case when m.id is not null then json_build_object(
                'name', m.name, 'manager', case when b.id is not null then json_build_object('name', b.name) end) end as manager
       from employees e left join employees m on m.id = e.manager_id left join employees b on b.id = m.manager_id order by e.id`,
  )
  await same(
    'a table that leads to itself: who is led',
    api
      .from('employees')
      .select('name,led:employees!manager_id(name)')
      .order('id')
      .order('name', { referencedTable: 'led' }),
    `select e.name, coalesce((select json_agg(json_build_object('name', l.name) order by l.name)
                                from employees l where l.manager_id = e.id), '[]') as led
       from employees e order by e.id`,
  )
  await same(
    'the join table is named as a hint',
    api
      .from('products')
      .select('id,tags!product_tags(id)')
      .lt('id', 9)
      .order('id')
      .order('id', { referencedTable: 'tags' }),
    `select p.id, coalesce((select json_agg(json_build_object('id', tag_id) order by tag_id) from product_tags where product_id = p.id), '[]') as tags
       from products p where p.id < 9 order by p.id`,
  )
}

async function conditions() {
  await same(
    'a filter on the rows inside leaves the rows outside',
    api
      .from('orders')
      .select('id,order_lines(line_no)')
      .gt('order_lines.quantity', 3)
      .order('id')
      .order('line_no', { referencedTable: 'order_lines' }),
    `select o.id, coalesce((select json_agg(json_build_object('line_no', line_no) order by line_no)
                              from order_lines where order_id = o.id and quantity > 3), '[]') as order_lines
       from orders o order by o.id`,
  )
  await same(
    'a filter on the one row inside makes it null',
    api.from('orders').select('id,customers(name)').eq('customers.level', 'gold').order('id'),
    `select o.id, case when c.level = 'gold' then json_build_object('name', c.name) end as customers
       from orders o join customers c on c.id = o.customer_id order by o.id`,
  )
  await same(
    'an inner relation leaves out rows without one',
    api
      .from('orders')
      .select('id,order_lines!inner(line_no)')
      .gt('order_lines.quantity', 4)
      .order('id')
      .order('line_no', { referencedTable: 'order_lines' }),
    `select o.id, json_agg(json_build_object('line_no', l.line_no) order by l.line_no) as order_lines
       from orders o join order_lines l on l.order_id = o.id and l.quantity > 4 group by o.id order by o.id`,
  )
  await same(
    'inner relations inside each other',
    api
      .from('customers')
      .select('id,orders!inner(id,order_lines!inner(product_id))')
      .eq('orders.order_lines.product_id', 41)
      .order('id')
      .order('id', { referencedTable: 'orders' }),
    `select c.id, json_agg(json_build_object('id', o.id, 'order_lines', o.lines) order by o.id) as orders
       from customers c
       join (select o.id, o.customer_id, json_agg(json_build_object('product_id', l.product_id)) as lines
               from orders o join order_lines l on l.order_id = o.id and l.product_id = 41 group by o.id) o on o.customer_id = c.id
      group by c.id order by c.id`,
  )
  await same(
    'an inner relation by its foreign key',
    api.from('orders').select('id,addresses!shipping!inner(city)').eq('addresses.city', 'Porto').order('id'),
    `select o.id, json_build_object('city', a.city) as addresses
       from orders o join addresses a on a.id = o.shipping_address_id where a.city = 'Porto' order by o.id`,
  )
  await same(
    'the count of an inner relation is that of the rows',
    api.from('products').select('id,tags!inner(id)', { count: 'exact' }).eq('tags.label', 'gift').order('id').limit(4),
    `select pt.product_id as id, json_build_array(json_build_object('id', 2)) as tags
       from product_tags pt where pt.tag_id = 2 order by 1 limit 4`,
    { count: await value('select count(*) from product_tags where tag_id = 2'), status: 206 },
  )
  await same(
    'an empty relation only filters',
    api.from('products').select('id,tags()').eq('tags.label', 'warm').not('tags', 'is', null).order('id'),
    'select product_id as id from product_tags where tag_id = 3 order by 1',
  )
  await same(
    'rows without related ones',
    api.from('products').select('id,product_tags()').is('product_tags', null).order('id'),
    'select id from products p where not exists (select from product_tags where product_id = p.id) order by id',
  )
  await same(
    'rows without a related one that fits',
    api.from('customers').select('id,orders()').eq('orders.status', 'sent').is('orders', null).order('id'),
    `select id from customers c where not exists (select from orders where customer_id = c.id and status = 'sent') order by id`,
  )
  await same(
    'one relation or another must be there',
    api
      .from('products')
      .select('id,tags(),product_details()')
      .eq('tags.label', 'sale')
      .eq('product_details.made_in', 'jp')
      .or('tags.not.is.null,product_details.not.is.null')
      .order('id'),
    `select id from products p
      where exists (select from product_tags where product_id = p.id and tag_id = 6)
         or exists (select from product_details where product_id = p.id and made_in = 'jp') order by id`,
  )
  await same(
    'or on the rows inside',
    api
      .from('orders')
      .select('id,order_lines(line_no)')
      .or('quantity.eq.5,price.lt.5', { referencedTable: 'order_lines' })
      .order('id')
      .order('line_no', { referencedTable: 'order_lines' }),
    `select o.id, coalesce((select json_agg(json_build_object('line_no', line_no) order by line_no)
                              from order_lines where order_id = o.id and (quantity = 5 or price < 5)), '[]') as order_lines
       from orders o order by o.id`,
  )
  await same(
    'a filter on a renamed relation',
    api
      .from('orders')
      .select('id,cheap:order_lines(line_no),dear:order_lines(line_no)')
      .lt('cheap.price', 10)
      .gte('dear.price', 40)
      .lt('id', 30)
      .order('id')
      .order('line_no', { referencedTable: 'cheap' })
      .order('line_no', { referencedTable: 'dear' }),
    `select o.id,
            coalesce((select json_agg(json_build_object('line_no', line_no) order by line_no) from order_lines where order_id = o.id and price < 10), '[]') as cheap,
            coalesce((select json_agg(json_build_object('line_no', line_no) order by line_no) from order_lines where order_id = o.id and price >= 40), '[]') as dear
       from orders o where o.id < 30 order by o.id`,
  )
  await same(
    'a filter on a column that also names a relation',
    api.from('orders').select('id,to:shipping_address_id(id)').eq('shipping_address_id', 4).order('id'),
    `select id, json_build_object('id', 4) as to from orders where shipping_address_id = 4 order by id`,
  )
}
