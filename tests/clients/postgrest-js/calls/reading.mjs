// What is selected, in which order, how much of it, and in which form.

import { answered, api, call, differs, equal, rows, same, sameRow, settled, sql, value } from '../harness.mjs'

export async function reading() {
  await columns()
  await orders()
  await pages()
  await counts()
  await forms()
}

async function columns() {
  await same(
    'selects every column',
    api.from('countries').select().order('code'),
    'select * from countries order by code',
  )
  await same(
    'every kind of column comes as PostgreSQL writes it',
    api.from('products').select('*').lte('id', 12).order('id'),
    'select * from products where id <= 12 order by id',
  )
  await same(
    'uuid, enum, json, dates and null come as PostgreSQL writes them',
    api.from('customers').select('*').order('id'),
    'select * from customers order by id',
  )
  await same(
    'spaces around the names are no part of them',
    api.from('products').select('id, name,\n price').order('id').limit(5),
    'select id, name, price from products order by id limit 5',
  )
  await same(
    'renames columns',
    api.from('products').select('number:id,"What it is":name,größe:weight').order('id').limit(5),
    'select id as number, name as "What it is", weight as "größe" from products order by id limit 5',
  )
  await same(
    'casts columns',
    api.from('products').select('id::text,price::text,discontinued::text,whole:price::int').order('id').limit(9),
    `select id::text, price::text, discontinued::text, price::int as whole from products order by products.id limit 9`,
  )
  await same(
    'reads places in jsonb, as JSON and as text',
    api
      .from('customers')
      .select('settings->theme,text:settings->>theme,settings->window->>width,settings->window,settings->recent->2->id')
      .order('id'),
    `select settings->'theme' as theme, settings->>'theme' as text, settings->'window'->>'width' as width,
            settings->'window' as "window", settings->'recent'->2->'id' as id
       from customers order by id`,
  )
  await same(
    'a place in JSON that ends with an index has the name before it',
    api.from('customers').select('settings->recent->0').order('id').limit(6),
    `select settings->'recent'->0 as recent from customers order by id limit 6`,
  )
  await same(
    'counts from the end of an array in JSON',
    api.from('customers').select('last:settings->recent->-1->>id').order('id').limit(6),
    `select settings->'recent'->-1->>'id' as last from customers order by id limit 6`,
  )
  await same(
    'reads places in json, null where there is none',
    api.from('customers').select('raw->n,raw->>note,nothing:raw->a->b').order('id'),
    `select raw->'n' as n, raw->>'note' as note, raw->'a'->'b' as nothing from customers order by id`,
  )
  await same(
    'casts what stands in JSON',
    api.from('customers').select('wide:settings->window->width::int,settings->window->>full::boolean').order('id'),
    `select (settings->'window'->'width')::int as wide, (settings->'window'->>'full')::boolean as full
       from customers order by id`,
  )
  await same(
    'reads an element of an array column',
    api.from('products').select('first:colours->0,second:sizes->>1').order('id').limit(12),
    `select to_jsonb(colours)->0 as first, to_jsonb(sizes)->>1 as second from products order by id limit 12`,
  )
  await same(
    'reads columns whose names must be quoted',
    api
      .from('odd_names')
      .select('id,"Größe (cm)","some.name","Mixed Case",Mixed:"Mixed Case","order",select')
      .order('id'),
    `select id, "Größe (cm)", "some.name", "Mixed Case", "Mixed Case" as "Mixed", "order", "select"
       from odd_names order by id`,
  )
  await same(
    'reads a column with a quote in its name, and one with a hyphen',
    api.from('odd_names').select('"quo\\"te",über-cool').order('id'),
    'select "quo""te", "über-cool" from odd_names order by id',
  )
  await same('reads a view', api.from('stock_list').select().order('id'), 'select * from stock_list order by id')
  await same(
    'names the schema that there is',
    api.schema('public').from('tags').select('label').order('id'),
    'select label from tags order by id',
  )
}

async function orders() {
  await same(
    'sorts by several columns, up and down',
    api.from('addresses').select('id,city').order('city', { ascending: false }).order('id'),
    'select id, city from addresses order by city desc, id',
  )
  await same(
    'nulls stand where PostgreSQL puts them',
    api.from('employees').select('id,title').order('title', { ascending: false }).order('id'),
    'select id, title from employees order by title desc, id',
  )
  await same(
    'nulls stand first when asked',
    api.from('products').select('id,weight').order('weight', { nullsFirst: true }).order('id'),
    'select id, weight from products order by weight nulls first, id',
  )
  await same(
    'nulls stand last when asked',
    api.from('products').select('id,weight').order('weight', { ascending: false, nullsFirst: false }).order('id'),
    'select id, weight from products order by weight desc nulls last, id',
  )
  await same(
    'sorts by a place in JSON',
    api.from('customers').select('id').order('settings->window->width', { ascending: false }),
    `select id from customers order by settings->'window'->'width' desc`,
  )
  await same(
    'sorts by an enum in its own order',
    api.from('customers').select('id,level').order('level', { ascending: false }).order('id'),
    'select id, level from customers order by level desc, id',
  )
  await same(
    'sorts by columns whose names must be quoted',
    api.from('odd_names').select('id').order('"Größe (cm)"', { nullsFirst: true }).order('order'),
    'select id from odd_names order by "Größe (cm)" nulls first, "order"',
  )
}

async function pages() {
  await same(
    'limits',
    api.from('products').select('id').order('id', { ascending: false }).limit(3),
    'select id from products order by id desc limit 3',
  )
  await same(
    'a limit of none gives none',
    api.from('products').select('id').limit(0),
    'select id from products limit 0',
  )
  await same(
    'reads a range of rows',
    api.from('products').select('id').order('id').range(20, 29),
    'select id from products order by id limit 10 offset 20',
    { status: 200 },
  )
  await same(
    'a range that ends behind the end gives what there is',
    api.from('products').select('id').order('id').range(55, 80),
    'select id from products order by id offset 55',
  )
  await same(
    'a list is cut at the limit of the service',
    api.from('readings').select('id').order('id'),
    'select id from readings order by id limit 1000',
  )
}

async function counts() {
  const planned = async (where) => {
    const [plan] = await sql(`explain (format json) select 1 from products where ${where}`)
    return plan['QUERY PLAN'][0].Plan['Plan Rows']
  }
  await same(
    'counts exactly beside the rows',
    api.from('products').select('id', { count: 'exact' }).eq('discontinued', false).order('id'),
    'select id from products where not discontinued order by id',
    { count: await value('select count(*) from products where not discontinued'), status: 200 },
  )
  await same(
    'an exact count beside a part of the rows makes the answer a part',
    api.from('products').select('id', { count: 'exact' }).order('id').limit(7),
    'select id from products order by id limit 7',
    { count: 60, status: 206 },
  )
  await call('counts exactly without the rows', async () => {
    const answer = await answered(api.from('orders').select('*', { count: 'exact', head: true }).eq('status', 'paid'))
    equal(answer.data, null)
    equal(answer.count, await value(`select count(*) from orders where status = 'paid'`))
  })
  await call('counts nothing as 0', async () => {
    const answer = await answered(api.from('orders').select('id', { count: 'exact' }).lt('id', 0))
    equal([answer.data, answer.count], [[], 0])
  })
  await call('a planned count is what the planner thinks', async () => {
    const before = await planned('price > 50')
    const answer = await answered(api.from('products').select('id', { count: 'planned' }).gt('price', 50).limit(3))
    // The planner may have learnt more meanwhile: the server looks at new tables by itself.
    const after = await planned('price > 50')
    equal(answer.data.length, 3)
    if (answer.count !== before) equal(answer.count, after)
  })
  await call('an estimated count of few rows is exact', async () => {
    const answer = await answered(api.from('products').select('id', { count: 'estimated' }).gt('price', 50))
    equal(answer.count, await value('select count(*) from products where price > 50'))
    equal(answer.count, answer.data.length)
  })
  await call('an estimated count of many rows is near the truth', async () => {
    const answer = await answered(api.from('readings').select('id', { count: 'estimated', head: true }))
    if (!(answer.count > 1000 && answer.count < 5000)) throw differs('about 2500', answer.count)
  })
}

async function forms() {
  await sameRow(
    'one row comes as an object',
    api.from('products').select('id,name').eq('id', 7).single(),
    'select id, name from products where id = 7',
    { status: 200 },
  )
  await sameRow(
    'one row of a list that is limited to it comes as an object',
    api.from('products').select('id,name').order('price', { ascending: false }).order('id').limit(1).single(),
    'select id, name from products order by price desc, id limit 1',
  )
  await sameRow(
    'perhaps one row: there is one',
    api.from('products').select('id,sku').eq('sku', 'SKU-0009').maybeSingle(),
    `select id, sku from products where sku = 'SKU-0009'`,
  )
  await call('perhaps one row: there is none', async () => {
    const answer = await answered(api.from('products').select('id').eq('sku', 'SKU-9999').maybeSingle())
    equal([answer.data, answer.status], [null, 200])
  })
  await call('perhaps one row: there are more', async () => {
    const answer = await settled(api.from('products').select('id').lt('id', 4).maybeSingle())
    equal([answer.error?.code, answer.status], ['PGRST116', 406])
  })
  await call('comes as CSV', async () => {
    const answer = await answered(api.from('customers').select('name,level,active,credit,born').order('id').csv())
    const cells = await rows(
      'select name, level::text, active::text, credit::text, born::text from customers order by id',
    )
    const [head, ...lines] = parsed(answer.data)
    equal(head, ['name', 'level', 'active', 'credit', 'born'])
    // Booleans as JSON has them, where PostgREST has t and f: docs/decisions/0019.
    equal(
      lines,
      cells.map((c) => [c.name, c.level, c.active ?? '', c.credit ?? '', c.born ?? '']),
    )
  })
  await call('CSV quotes what must be quoted', async () => {
    const answer = await answered(api.from('odd_names').select('"some.name","quo\\"te"').order('id').csv())
    const cells = await rows(
      'select coalesce("some.name", \'\') as a, coalesce("quo""te", \'\') as b from odd_names order by id',
    )
    equal(parsed(answer.data), [['some.name', 'quo"te'], ...cells.map((c) => [c.a, c.b])])
  })
  await call('times come in the zone that is preferred', async () => {
    const since = 'select id, since from customers order by id limit 3'
    await sql(`set timezone = 'Asia/Kathmandu'`)
    const expected = await rows(since)
    await sql('reset timezone')
    const request = api.from('customers').select('id,since').order('id').limit(3)
    equal((await answered(request.setHeader('Prefer', 'timezone=Asia/Kathmandu'))).data, expected)
    equal((await answered(api.from('customers').select('id,since').order('id').limit(3))).data, await rows(since))
  })
  await call('nulls are stripped from every row', async () => {
    const answer = await answered(api.from('employees').select('id,title,manager_id,remote').order('id').stripNulls())
    const stripped = await sql(
      'select json_strip_nulls(to_json(r)) as row from (select id, title, manager_id, remote from employees order by id) r',
    )
    equal(
      answer.data,
      stripped.map((s) => s.row),
    )
  })
  await call('nulls are stripped from one row', async () => {
    const answer = await answered(api.from('employees').select().eq('id', 6).single().stripNulls())
    equal(answer.data, await value('select json_strip_nulls(to_json(e)) from employees e where id = 6'))
  })
}

/** The cells of a CSV text. */
function parsed(text) {
  const lines = [[]]
  const cell = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/gy
  for (;;) {
    const [, quoted, plain, end] = cell.exec(text)
    lines.at(-1).push(quoted === undefined ? plain : quoted.replaceAll('""', '"'))
    if (end === '') return lines
    if (end !== ',') {
      if (cell.lastIndex === text.length) return lines
      lines.push([])
    }
  }
}
