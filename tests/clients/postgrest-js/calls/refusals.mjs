// Requests that are refused, and how the client tells it.

import { PostgrestError } from '@supabase/postgrest-js'
import { api, call, differs, equal, refused, sql, value } from '../harness.mjs'

const ID = '00000000-0000-4000-8000-000000000001'

export async function refusals() {
  await queries()
  await relations()
  await bodies()
  await clients()
}

async function queries() {
  await refused('an unknown table', api.from('nothings').select(), 404, 'PGRST205')
  await refused('an unknown column in select', api.from('tags').select('id,nothing'), 400, '42703')
  await refused('an unknown column in a filter', api.from('tags').select('id').eq('nothing', 1), 400, '42703')
  await refused('an unknown column in order', api.from('tags').select('id').order('nothing'), 400, '42703')
  await refused('an unknown column inside a relation', api.from('orders').select('id,customers(nothing)'), 400, '42703')
  await refused('a uuid that is none', api.from('customers').select('id').eq('id', 'seven'), 400, '22P02')
  await refused('a number that is none', api.from('products').select('id').gt('price', 'cheap'), 400, '22P02')
  await refused('a number beyond its type', api.from('products').select('id').eq('id', 99999999999), 400, '22003')
  await refused('a label that the enum has not', api.from('customers').select('id').eq('level', 'tin'), 400, '22P02')
  await refused('a date that is none', api.from('customers').select('id').eq('born', '2024-02-31'), 400, '22008')
  await refused('a range that is none', api.from('products').select('id').contains('stock', '[9,1]'), 400, '22000')
  await refused(
    'a pattern that is none',
    api.from('products').select('id').regexMatch('name', '(unclosed'),
    400,
    '2201B',
  )
  await refused(
    'words that are no search',
    api.from('products').select('id').textSearch('search', 'a & & b'),
    400,
    '42601',
  )
  await refused('an operator that is none', api.from('tags').select('id').filter('id', 'equals', 1), 400, 'PGRST100')
  await refused('a select that does not end', api.from('tags').select('id,products(id'), 400, 'PGRST100')
  await refused('a tree that does not end', api.from('tags').select('id').or('id.eq.1,and(id.eq.2'), 400, 'PGRST100')
  await refused('a type that is none', api.from('tags').select('id::nothing'), 400, '42704')
  await refused(
    'is with a value that it does not know',
    api.from('tags').select('id').filter('label', 'is', 'gift'),
    400,
    'PGRST100',
  )
  await refused('one object of no row', api.from('tags').select().eq('id', -1).single(), 406, 'PGRST116', {
    details: 'The result contains 0 rows',
  })
  await refused('one object of many rows', api.from('tags').select().lt('id', 4).single(), 406, 'PGRST116', {
    // PostgREST counts on; here reading ends where the answer is sure.
    details: 'The result contains 2 rows or more',
  })
  await refused(
    'a beginning behind the end of what is counted',
    api.from('tags').select('id', { count: 'exact' }).range(100, 110),
    416,
    'PGRST103',
  )
  await refused('a form that is not served', api.from('tags').select().explain(), 406, 'PGRST107')
  await refused('a form that needs an extension', api.from('tags').select().geojson(), 406, 'PGRST107')
  await refused('a schema that is not served', api.schema('freehold').from('tags').select(), 406, 'PGRST106')
  await refused('an unknown function', api.rpc('nothing_of_it'), 404, 'PGRST202')
  await refused('an unknown argument', api.rpc('add_them', { a: 1, c: 2 }), 404, 'PGRST202')
  await refused('an argument that is missing', api.rpc('greet'), 404, 'PGRST202')
  await refused(
    'what a function raises is told in its words',
    api.rpc('refuse', { reason: 'no' }, { get: true }),
    400,
    'P0001',
    {
      message: 'refused: no',
      details: 'It was asked for.',
      hint: 'Ask for something else.',
    },
  )
}

async function relations() {
  await refused('tables without a relationship', api.from('tags').select('id,orders(id)'), 400, 'PGRST200')
  await refused(
    'a hint that fits no relationship',
    api.from('orders').select('id,addresses!nothing(id)'),
    400,
    'PGRST200',
  )
  await call('a relationship that is one of two', async () => {
    const { data, error, status } = await api.from('orders').select('id,addresses(city)')
    equal([data, status, error?.code], [null, 300, 'PGRST201'])
    if (!Array.isArray(error.details) || error.details.length !== 2)
      throw differs('two relationships in details', error.details)
    for (const word of ['billing', 'shipping'])
      if (!error.hint?.includes(`addresses!${word}`)) throw differs(`a hint to ${word}`, error.hint)
  })
  await refused(
    'a filter on a relation that is not selected',
    api.from('orders').select('id').eq('customers.name', 'x'),
    400,
    'PGRST108',
  )
  await refused(
    'an order of a relation that is not selected',
    api.from('orders').select('id').order('id', { referencedTable: 'customers' }),
    400,
    'PGRST108',
  )
  await refused(
    'an order by many related rows',
    api.from('orders').select('id,order_lines(price)').order('order_lines(price)'),
    400,
    'PGRST118',
  )
  await refused(
    'a relation compared with a value',
    api.from('orders').select('id,customers(name)').eq('customers', 'x'),
    400,
    'PGRST120',
  )
}

async function bodies() {
  await sql(`delete from notes where owner = 'js bad'`)
  await sql(`insert into notes (owner, title) values ('js bad', 'there')`)
  const note = (fields) => api.from('notes').insert({ owner: 'js bad', title: 'new', ...fields })
  await refused('a row that exists', note({ title: 'there' }), 409, '23505')
  await refused('a check that is violated', note({ title: 'x'.repeat(61) }), 400, '23514')
  await refused('a column that is required', api.from('notes').insert({ owner: 'js bad' }), 400, '23502')
  await refused('null in a column that refuses it', note({ body: null }), 400, '23502')
  await refused('a foreign key that leads nowhere', note({ product_id: 999999 }), 409, '23503')
  await refused('a value that its type does not take', note({ rank: 'high' }), 400, '22P02')
  await refused('an unknown field', note({ nothing: 1 }), 400, 'PGRST204')
  await refused(
    'an unknown field of many rows',
    api.from('notes').insert([{ owner: 'js bad', title: 'a', nothing: 1 }]),
    400,
    'PGRST204',
  )
  await refused(
    'an unknown field of an update',
    api.from('notes').update({ nothing: 1 }).eq('owner', 'js bad'),
    400,
    'PGRST204',
  )
  await refused('a body that is no row', api.from('notes').insert('text'), 400, 'PGRST102')
  await refused(
    'an upsert by columns that are not unique',
    api.from('notes').upsert({ owner: 'js bad', title: 'a' }, { onConflict: 'body' }),
    400,
    '42P10',
  )
  await refused('a row that others refer to', api.from('customers').delete().eq('id', ID), 409, '23503')
  await refused('a column that is generated', api.from('products').update({ search: 'x' }).eq('id', 1), 400, '428C9')
  await refused(
    'a change of a table that is only appended to',
    api.from('ledger').update({ amount: 1 }).eq('owner', 'js'),
    405,
    'PGRST117',
  )
  await refused('a change of a view', api.from('stock_list').update({ name: 'x' }).eq('id', 1), 405, 'PGRST117')
  await refused('a change without a filter', api.from('notes').update({ body: 'all' }), 400, '21000')
  await refused('a deletion without a filter', api.from('notes').delete(), 400, '21000')
  await call('nothing of all that was written', async () => {
    equal(
      await value(
        `select json_agg(json_build_object('title', title, 'version', version)) from notes where owner = 'js bad'`,
      ),
      [{ title: 'there', version: 1 }],
    )
    equal(await value(`select count(*) from customers where id = '${ID}'`), 1)
  })
}

async function clients() {
  await call('an error is thrown when asked', async () => {
    const thrown = await api
      .from('nothings')
      .select()
      .throwOnError()
      .then(
        () => null,
        (error) => error,
      )
    if (!(thrown instanceof PostgrestError)) throw differs('a PostgrestError', thrown)
    equal(thrown.code, 'PGRST205')
  })
  await call('a request that is aborted says so', async () => {
    const aborted = new AbortController()
    aborted.abort()
    const { data, error, status } = await api.from('tags').select().abortSignal(aborted.signal)
    equal([data, status], [null, 0])
    if (!/abort/i.test(error.message)) throw differs('that it was aborted', error.message)
  })
  await call('the next request after it is answered', async () => {
    equal((await api.from('tags').select('id').eq('id', 1)).data, [{ id: 1 }])
  })
  await call('a refusal of HEAD has a status and no body', async () => {
    const { error, status, data } = await api.from('nothings').select('*', { head: true })
    // The client takes an empty 404 for an empty answer.
    equal([data, error, status], [null, null, 204])
  })
}
