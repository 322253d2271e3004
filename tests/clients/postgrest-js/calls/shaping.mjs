// How related rows are shown: which columns, how many, in which order, and spread.

import { api, same, sameRow } from '../harness.mjs'

export async function shaping() {
  await shaped()
  await spread()
}

async function shaped() {
  await same(
    'renames and casts inside',
    api
      .from('orders')
      .select('id,buyer:customers(called:name,level::text,theme:settings->>theme)')
      .order('id')
      .limit(6),
    `select o.id, json_build_object('called', c.name, 'level', c.level::text, 'theme', c.settings->>'theme') as buyer
       from orders o join customers c on c.id = o.customer_id order by o.id limit 6`,
  )
  await same(
    'limits the rows inside',
    api
      .from('customers')
      .select('id,orders(id)')
      .order('id')
      .order('id', { referencedTable: 'orders', ascending: false })
      .limit(2, { referencedTable: 'orders' }),
    `select c.id, coalesce((select json_agg(json_build_object('id', o.id)) from
                (select id from orders where customer_id = c.id order by id desc limit 2) o), '[]') as orders
       from customers c order by c.id`,
  )
  await same(
    'a range of the rows inside',
    api
      .from('orders')
      .select('id,order_lines(line_no)')
      .order('id')
      .order('line_no', { referencedTable: 'order_lines' })
      .range(1, 2, { referencedTable: 'order_lines' }),
    `select o.id, coalesce((select json_agg(json_build_object('line_no', l.line_no)) from
                (select line_no from order_lines where order_id = o.id order by line_no limit 2 offset 1) l), '[]') as order_lines
       from orders o order by o.id`,
  )
  await same(
    'sorts the rows inside by several columns',
    api
      .from('orders')
      .select('id,order_lines(quantity,line_no)')
      .eq('id', 44)
      .order('quantity', { referencedTable: 'order_lines', ascending: false })
      .order('line_no', { referencedTable: 'order_lines' }),
    `select 44 as id, json_agg(json_build_object('quantity', quantity, 'line_no', line_no) order by quantity desc, line_no) as order_lines
       from order_lines where order_id = 44`,
  )
  await same(
    'sorts by a column of the row it leads to',
    api.from('orders').select('id,customers(name)').order('customers(name)', { ascending: false }).order('id'),
    `select o.id, json_build_object('name', c.name) as customers
       from orders o join customers c on c.id = o.customer_id order by c.name desc, o.id`,
  )
  await sameRow(
    'one row with its relations comes as an object',
    api.from('orders').select('id,customers(name)').eq('id', 3).single(),
    `select o.id, json_build_object('name', c.name) as customers from orders o join customers c on c.id = o.customer_id where o.id = 3`,
  )
}

async function spread() {
  await same(
    'the columns of the row it leads to stand among its own',
    api.from('orders').select('id,...customers(buyer:name,level)').order('id').limit(12),
    'select o.id, c.name as buyer, c.level from orders o join customers c on c.id = o.customer_id order by o.id limit 12',
  )
  await same(
    'spread over two foreign keys',
    api.from('addresses').select('id,...countries(country:name,continent)').order('countries(name)').order('id'),
    `select a.id, c.name as country, c.continent from addresses a join countries c on c.code = a.country_code order by c.name, a.id`,
  )
  await same(
    'spread inside a spread',
    api
      .from('product_tags')
      .select('note,...products(name,...product_details(warranty_months))')
      .eq('tag_id', 1)
      .order('product_id'),
    `select pt.note, p.name, d.warranty_months from product_tags pt join products p on p.id = pt.product_id
       left join product_details d on d.product_id = p.id where pt.tag_id = 1 order by pt.product_id`,
  )
  await same(
    'the columns of a join table beside those behind it',
    api
      .from('products')
      .select('id,tags:product_tags(note,...tags(label))')
      .lt('id', 12)
      .order('id')
      .order('tag_id', { referencedTable: 'tags' }),
    `select p.id, coalesce((select json_agg(json_build_object('note', pt.note, 'label', t.label) order by pt.tag_id)
                              from product_tags pt join tags t on t.id = pt.tag_id where pt.product_id = p.id), '[]') as tags
       from products p where p.id < 12 order by p.id`,
  )
  await same(
    'many rows spread are arrays',
    api
      .from('orders')
      .select('id,...order_lines(lines:line_no,quantity)')
      .lt('id', 15)
      .order('id')
      .order('line_no', { referencedTable: 'order_lines' }),
    `select o.id, coalesce((select json_agg(line_no order by line_no) from order_lines where order_id = o.id), '[]') as lines,
            coalesce((select json_agg(quantity order by line_no) from order_lines where order_id = o.id), '[]') as quantity
       from orders o where o.id < 15 order by o.id`,
  )
}
