// Sums and their like, over all rows, by group, and inside relations.

import { answered, api, call, equal, rows, same, sameRow } from '../harness.mjs'

export async function aggregates() {
  await sameRow(
    'count, sum, avg, min and max of all rows',
    api.from('products').select('count(),price.sum(),price.avg(),low:price.min(),high:price.max()').single(),
    'select count(*), sum(price), avg(price), min(price) as low, max(price) as high from products',
  )
  await same(
    'count of a column leaves null out',
    api.from('products').select('weighed:weight.count(),all:count()'),
    'select count(weight) as weighed, count(*) as "all" from products',
  )
  await same(
    'groups by the columns beside',
    api.from('orders').select('status,number:id.count(),first:placed_at.min()').order('status'),
    'select status, count(id) as number, min(placed_at) as first from orders group by status order by status',
  )
  await same(
    'groups by two columns, of the rows a filter leaves',
    api.from('customers').select('level,active,count(),credit.sum()').gt('credit', 100).order('level').order('active'),
    'select level, active, count(*), sum(credit) from customers where credit > 100 group by level, active order by level, active',
  )
  await same(
    'casts what is made of the values',
    api.from('products').select('rounded:price.avg()::int,text:price.max()::text'),
    'select avg(price)::int as rounded, max(price)::text as text from products',
  )
  await same(
    'casts the values first',
    api
      .from('products')
      .select('widest:attributes->dimensions->width::int.max(),attributes->dimensions->>height::numeric.sum()'),
    `select max((attributes->'dimensions'->'width')::int) as widest, sum((attributes->'dimensions'->>'height')::numeric) from products`,
  )
  await same(
    'groups by a place in JSON',
    api.from('products').select('attributes->>material,count()').order('attributes->>material'),
    `select attributes->>'material' as material, count(*) from products group by 1 order by 1`,
  )
  await same(
    'the number of related rows',
    api.from('orders').select('id,order_lines(count)').order('id'),
    `select o.id, json_build_array(json_build_object('count', (select count(*) from order_lines where order_id = o.id))) as order_lines
       from orders o order by o.id`,
  )
  await same(
    'sums inside a relation',
    api.from('orders').select('id,order_lines(quantity.sum(),count())').order('id').limit(20),
    `select o.id, json_build_array((select json_build_object('sum', sum(quantity), 'count', count(*))
                                      from order_lines where order_id = o.id)) as order_lines
       from orders o order by o.id limit 20`,
  )
  await same(
    'groups inside a relation',
    api
      .from('customers')
      .select('id,orders(status,count())')
      .order('id')
      .order('status', { referencedTable: 'orders' }),
    `select c.id, coalesce((select json_agg(json_build_object('status', g.status, 'count', g.count) order by g.status)
                              from (select status, count(*) from orders where customer_id = c.id group by status) g), '[]') as orders
       from customers c order by c.id`,
  )
  await same(
    'groups by the columns of a row that is spread',
    api.from('order_lines').select('quantity.sum(),...products(discontinued)').order('products(discontinued)'),
    `select sum(l.quantity), p.discontinued from order_lines l join products p on p.id = l.product_id
      group by p.discontinued order by p.discontinued`,
  )
  await call('groups by a row it leads to', async () => {
    const answer = await answered(api.from('addresses').select('count(),countries(name)'))
    const expected = await rows(
      `select count(*), json_build_object('name', c.name) as countries
         from addresses a join countries c on c.code = a.country_code group by c.name order by c.name`,
    )
    // Groups have no order of their own.
    equal(
      answer.data.sort((a, b) => (a.countries.name < b.countries.name ? -1 : 1)),
      expected,
    )
  })
  await same(
    'sums the columns of a row that is spread',
    api.from('order_lines').select('order_id,...products(dearest:price.max())').lt('order_id', 20).order('order_id'),
    `select l.order_id, max(p.price) as dearest from order_lines l join products p on p.id = l.product_id
      where l.order_id < 20 group by l.order_id order by l.order_id`,
  )
}
