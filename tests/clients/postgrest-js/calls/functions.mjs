// Functions of the service, called by POST, GET and HEAD.

import { answered, api, call, equal, http, rows, same, sameRow, settled, sql, value } from '../harness.mjs'

export async function functions() {
  await scalars()
  await tables()
  await changes()
}

/** One call whose answer is the one value of a query. */
async function gives(name, request, query) {
  await call(name, async () => {
    const answer = await answered(request)
    equal([answer.data, answer.status], [await value(query), 200])
  })
}

async function scalars() {
  await gives('gives a value', api.rpc('add_them', { a: 3, b: 4 }), 'select add_them(3, 4)')
  await gives('an argument with a default may be left out', api.rpc('add_them', { a: 3 }), 'select add_them(3)')
  await gives(
    'arguments stand in the query',
    api.rpc('add_them', { a: -3, b: 4 }, { get: true }),
    'select add_them(-3, 4)',
  )
  await gives('gives a text', api.rpc('greet', { name: 'Fée & Söhne' }, { get: true }), `select greet('Fée & Söhne')`)
  await gives(
    'takes any number of arguments',
    api.rpc('total_of', { numbers: [1, 2, 3, 40] }),
    'select total_of(1, 2, 3, 40)',
  )
  await gives('takes an array', api.rpc('plus_one', { numbers: [5, 6, 7] }), 'select plus_one(array[5, 6, 7])')
  await gives(
    'takes an array in the query',
    api.rpc('plus_one', { numbers: [5, 6] }, { get: true }),
    'select plus_one(array[5, 6])',
  )
  await gives('takes no array at all', api.rpc('plus_one', { numbers: [] }), `select plus_one('{}')`)
  await gives(
    'gives values as an array',
    api.rpc('numbers_up_to', { n: 4 }),
    'select json_agg(n) from numbers_up_to(4) n',
  )
  await gives('gives a row as an object', api.rpc('pair', {}, { get: true }), 'select to_json(p) from pair() p')
  await gives(
    'takes the whole body as JSON',
    api.rpc('describe', { any: ['thing'] }),
    `select describe('{"any": ["thing"]}')`,
  )
  await gives('takes an array as the whole body', api.rpc('describe', [1, 2]), `select describe('[1, 2]')`)
  await call('takes the whole body as text', async () => {
    const response = await http('/rpc/shout', {
      method: 'POST',
      headers: { 'Content-Type': 'text/plain' },
      body: 'hé, you',
    })
    equal([response.status, await response.json()], [200, await value(`select shout('hé, you')`)])
  })
  await call('repeats an argument in the query for any number of them', async () => {
    const response = await http('/rpc/total_of?numbers=1&numbers=2&numbers=30')
    equal([response.status, await response.json()], [200, 33])
  })
}

async function tables() {
  await same(
    'gives rows of a table',
    api.rpc('search_products', { term: 'wool or tea' }),
    `select * from search_products('wool or tea')`,
  )
  await same(
    'rows of a function are selected, filtered, sorted and limited',
    api
      .rpc('search_products', { term: 'bright', at_most: 50 })
      .select('id,cost:price')
      .gt('price', 20)
      .order('price', { ascending: false })
      .order('id')
      .limit(4),
    `select id, price as cost from search_products('bright', 50) where price > 20 order by price desc, id limit 4`,
  )
  await same(
    'rows of a function embed relations',
    api
      .rpc('search_products', { term: 'coffee' }, { get: true })
      .select('sku,product_details(made_in),tags(label)')
      .order('id')
      .order('id', { referencedTable: 'tags' }),
    `select p.sku, case when d.product_id is not null then json_build_object('made_in', d.made_in) end as product_details,
            coalesce((select json_agg(json_build_object('label', t.label) order by t.id)
                        from product_tags pt join tags t on t.id = pt.tag_id where pt.product_id = p.id), '[]') as tags
       from search_products('coffee') p left join product_details d on d.product_id = p.id order by p.id`,
  )
  await same(
    'takes an enum',
    api.rpc('customers_of', { wanted: 'silver' }).select('name').order('id'),
    `select name from customers_of('silver') order by id`,
  )
  await same(
    'gives rows of columns of its own',
    api.rpc('price_bands', { width: 25.5 }),
    'select * from price_bands(25.5)',
  )
  await same(
    'rows of columns of its own are filtered and sorted',
    api
      .rpc('price_bands', { width: 20 }, { get: true })
      .select('band,products')
      .gte('products', 10)
      .order('band', { ascending: false }),
    'select band, products from price_bands(20) where products >= 10 order by band desc',
  )
  await sameRow(
    'one row of a function comes as an object',
    api.rpc('search_products', { term: 'coffee', at_most: 1 }).select('id,name').single(),
    `select id, name from search_products('coffee', 1)`,
  )
  await same(
    'counts the rows of a function',
    api.rpc('customers_of', { wanted: 'gold' }, { count: 'exact' }).select('id').order('id').range(2, 4),
    `select id from customers_of('gold') order by id limit 3 offset 2`,
    { count: await value(`select count(*) from customers_of('gold')`), status: 206 },
  )
  await call('counts the rows of a function without them', async () => {
    const answer = await answered(api.rpc('customers_of', { wanted: 'bronze' }, { head: true, count: 'exact' }))
    equal([answer.data, answer.count], [null, await value(`select count(*) from customers_of('bronze')`)])
  })
  await call('the rows of a function come as CSV', async () => {
    const answer = await answered(api.rpc('price_bands', { width: 50 }).csv())
    const bands = await rows('select * from price_bands(50)')
    equal(answer.data.trimEnd().split(/\r?\n/), [
      'band,products,average',
      ...bands.map((b) => `${b.band},${b.products},${b.average.toFixed(2)}`),
    ])
  })
}

async function changes() {
  await sql(`delete from notes where owner in ('js rpc', 'js gone')`)
  await call('a function writes, and gives the row', async () => {
    const answer = await answered(
      api.rpc('add_note', { owner: 'js rpc', title: 'by a function', labels: ['a', 'b c'] }),
    )
    equal(answer.data, (await rows(`select * from notes where owner = 'js rpc'`))[0])
  })
  await call('a function gives nothing', async () => {
    const note = await value(`select id from notes where owner = 'js rpc'`)
    const answer = await answered(api.rpc('raise_rank', { note, by_how_much: 3 }))
    equal([answer.data, answer.status], [null, 204])
    equal(await value(`select rank from notes where owner = 'js rpc'`), 8)
  })
  await call('a function that may write is not called by GET', async () => {
    const answer = await settled(api.rpc('add_note', { owner: 'js rpc', title: 'by GET' }, { get: true }))
    equal(answer.status, 405)
    equal(await value(`select count(*) from notes where title = 'by GET'`), 0)
  })
  await call('what a function wrote is taken back when asked', async () => {
    const answer = await answered(api.rpc('add_note', { owner: 'js rpc', title: 'taken back' }).rollback())
    equal(answer.data.title, 'taken back')
    equal(await value(`select count(*) from notes where title = 'taken back'`), 0)
  })
  await call('a function that affects more rows than allowed is taken back', async () => {
    await sql(`insert into notes (owner, title) select 'js gone', 'note ' || n from generate_series(1, 3) n`)
    const answer = await settled(api.rpc('remove_notes', { whose: 'js gone' }).maxAffected(2))
    equal([answer.status, answer.error?.code], [400, 'PGRST124'])
    equal(await value(`select count(*) from notes where owner = 'js gone'`), 3)
  })
  await call('a function that affects as many rows as allowed is carried out', async () => {
    const answer = await answered(
      api.rpc('remove_notes', { whose: 'js gone' }).maxAffected(3).select('title').order('title'),
    )
    equal(answer.data, [{ title: 'note 1' }, { title: 'note 2' }, { title: 'note 3' }])
    equal(await value(`select count(*) from notes where owner = 'js gone'`), 0)
  })
}
