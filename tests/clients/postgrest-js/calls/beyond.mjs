// What the service answers beyond PostgREST's language, asked with plain fetch.

import { call, differs, equal, http, rows, sql, url, value } from '../harness.mjs'

const OWNER = 'js http'

export async function beyond() {
  await sql('delete from notes where owner = $1', [OWNER])
  await versions()
  await repetition()
  await pages()
  await forms()
  await browsers()
  await transactions()
}

const json = (body, headers = {}, method = 'POST') => ({
  method,
  headers: { 'Content-Type': 'application/json', ...headers },
  body: JSON.stringify(body),
})

/** A response's status, headers and JSON, if it has any. */
async function asked(path, options) {
  const response = await http(path, options)
  const text = await response.text()
  let data = null
  if (text !== '' && response.headers.get('content-type')?.includes('json')) data = JSON.parse(text)
  return { status: response.status, header: (name) => response.headers.get(name), text, data }
}

async function note(title) {
  const [made] = await sql('insert into notes (owner, title) values ($1, $2) returning id', [OWNER, title])
  return made.id
}

async function versions() {
  const id = await note('versions')
  const place = `/notes?id=eq.${id}`
  await call('a single row has its version as ETag', async () => {
    const answer = await asked(place)
    equal([answer.status, answer.header('etag')], [200, '"1"'])
  })
  await call('a row that is known already is not sent again', async () => {
    const answer = await asked(place, { headers: { 'If-None-Match': '"1"' } })
    equal([answer.status, answer.text], [304, ''])
  })
  await call('a change under the current version is made', async () => {
    const answer = await asked(place, json({ body: 'second' }, { 'If-Match': '"1"' }, 'PATCH'))
    equal([answer.status, answer.header('etag')], [204, '"2"'])
  })
  await call('a change under a stale version changes nothing', async () => {
    const answer = await asked(place, json({ body: 'third' }, { 'If-Match': '"1"' }, 'PATCH'))
    equal([answer.status, answer.data.code, answer.data.current_version], [412, 'FH412', 2])
    equal(answer.header('content-type').split(';')[0], 'application/problem+json')
    equal(await value(`select body from notes where id = ${id}`), 'second')
  })
  await call('a deletion under a stale version deletes nothing', async () => {
    equal((await asked(place, { method: 'DELETE', headers: { 'If-Match': '"1"' } })).status, 412)
    equal((await asked(place, { method: 'DELETE', headers: { 'If-Match': '"2"' } })).status, 204)
    equal(await value(`select count(*) from notes where id = ${id}`), 0)
  })
  await call('a table may want a guard', async () => {
    equal((await asked('/contracts?id=eq.1', json({ text: 'x' }, {}, 'PATCH'))).status, 428)
    equal(await value('select text from contracts where id = 1'), 'first')
  })
  await call('PUT writes a row that is not there, and one that is', async () => {
    await sql('delete from settings where owner = $1', [OWNER])
    const setting = (text) =>
      json({ owner: OWNER, name: 'put', value: text }, { Prefer: 'return=representation' }, 'PUT')
    const path = `/settings?owner=eq.${encodeURIComponent(OWNER)}&name=eq.put`
    const made = await asked(path, setting('one'))
    equal([made.status, made.data[0].value], [201, 'one'])
    const changed = await asked(path, setting('two'))
    equal([changed.status, changed.data[0].value], [200, 'two'])
    equal(await rows(`select value, version from settings where owner = '${OWNER}'`), [{ value: 'two', version: 2 }])
  })
}

async function repetition() {
  const key = () => ({ 'Idempotency-Key': `"${crypto.randomUUID()}"`, Prefer: 'return=representation' })
  await call('a POST that is repeated under its key is carried out once', async () => {
    const headers = key()
    const body = { owner: OWNER, title: 'once' }
    const first = await asked('/notes', json(body, headers))
    const second = await asked('/notes', json(body, headers))
    equal([first.status, second.status], [201, 201])
    equal(second.text, first.text)
    equal(second.header('location'), first.header('location'))
    equal(await value(`select count(*) from notes where owner = '${OWNER}' and title = 'once'`), 1)
  })
  await call('a key is not used for another body', async () => {
    const headers = key()
    await asked('/notes', json({ owner: OWNER, title: 'keyed' }, headers))
    equal((await asked('/notes', json({ owner: OWNER, title: 'other' }, headers))).status, 422)
    equal(await value(`select count(*) from notes where owner = '${OWNER}' and title = 'other'`), 0)
  })
  await call('a PATCH that is repeated under its key is carried out once', async () => {
    const id = await note('patched once')
    const headers = key()
    const change = () => asked(`/notes?id=eq.${id}`, json({ rank: 9 }, headers, 'PATCH'))
    const [first, second] = [await change(), await change()]
    equal([second.status, second.text], [first.status, first.text])
    equal(await value(`select version from notes where id = ${id}`), 2)
  })
}

/** All pages from this one on, by their links. */
async function followed(path) {
  const ids = []
  let sizes = []
  for (let next = path; next !== null;) {
    const page = await asked(next)
    if (page.status !== 200) throw differs('200', page)
    ids.push(...page.data.map((row) => row.id))
    sizes = [...sizes, page.data.length]
    const link = page.header('link')?.match(/<([^>]+)>\s*;\s*rel="next"/)
    next = link ? new URL(link[1], url + next).href.slice(new URL(url).origin.length) : null
  }
  return { ids, sizes }
}

async function pages() {
  await call('a list that was cut links to the rest of it', async () => {
    const { ids, sizes } = await followed('/readings?select=id')
    equal(sizes, [1000, 1000, 500])
    equal(
      ids,
      (await rows('select id from readings order by id')).map((row) => row.id),
    )
  })
  await call('the links keep filters and order', async () => {
    const { ids } = await followed('/readings?select=id&sensor=neq.sensor%203&order=value.desc,sensor')
    const expected = await rows(`select id from readings where sensor <> 'sensor 3' order by value desc, sensor, id`)
    equal(ids.length, expected.length)
    equal(new Set(ids).size, expected.length)
    equal(
      ids,
      expected.map((row) => row.id),
    )
  })
  await call('the links keep a limit as the size of a page', async () => {
    const { ids, sizes } = await followed('/addresses?select=id&limit=7')
    equal(sizes, [7, 7, 7, 7, 2])
    equal(ids.length, 30)
  })
  await call('a list that is whole links to nothing', async () => {
    equal((await asked('/tags')).header('link'), null)
  })
  await call('a range of rows is read by header', async () => {
    const answer = await asked('/readings?select=id&order=id', {
      headers: { Range: '10-14', 'Range-Unit': 'items', Prefer: 'count=exact' },
    })
    equal([answer.status, answer.header('content-range')], [206, '10-14/2500'])
    equal(
      answer.data.map((row) => row.id),
      [11, 12, 13, 14, 15],
    )
  })
}

async function forms() {
  await call('HEAD has the headers of GET, and no body', async () => {
    const [get, head] = [await asked('/tags?order=id'), await asked('/tags?order=id', { method: 'HEAD' })]
    equal([head.status, head.text], [200, ''])
    for (const name of ['content-type', 'content-range']) equal(head.header(name), get.header(name))
  })
  await call('rows are written as CSV', async () => {
    const body = `owner,title,rank,body\n${OWNER},"with, comma",7,"a ""b"""\n${OWNER},second,NULL,x\n`
    const answer = await asked('/notes?select=title,rank,body', {
      method: 'POST',
      headers: { 'Content-Type': 'text/csv', Prefer: 'return=representation' },
      body,
    })
    equal(
      [answer.status, answer.data],
      [
        201,
        [
          { title: 'with, comma', rank: 7, body: 'a "b"' },
          { title: 'second', rank: null, body: 'x' },
        ],
      ],
    )
  })
  await call('a row is written as the fields of a form', async () => {
    const body = new URLSearchParams({
      owner: OWNER,
      title: 'a & b + c',
      rank: '3',
      pinned: 'true',
      labels: '{x,"y z"}',
    })
    const answer = await asked('/notes?select=title,rank,pinned,labels', {
      method: 'POST',
      headers: { Prefer: 'return=representation' },
      body,
    })
    equal([answer.status, answer.data], [201, [{ title: 'a & b + c', rank: 3, pinned: true, labels: ['x', 'y z'] }]])
  })
  await call('a function is called with the fields of a form', async () => {
    const answer = await asked('/rpc/add_them', { method: 'POST', body: new URLSearchParams({ a: '40', b: '2' }) })
    equal([answer.status, answer.data], [200, 42])
  })
  await call('a text that a function gives comes as text', async () => {
    const answer = await asked('/rpc/greet?name=%22you%22', { headers: { Accept: 'text/plain' } })
    equal([answer.status, answer.text], [200, 'Hello, "you"!'])
    equal(answer.header('content-type'), 'text/plain; charset=utf-8')
  })
  await call('a new row says where it is', async () => {
    const answer = await asked('/notes', json({ owner: OWNER, title: 'located' }, { Prefer: 'return=headers-only' }))
    equal(
      answer.header('location'),
      `/notes?id=eq.${await value(`select id from notes where owner = '${OWNER}' and title = 'located'`)}`,
    )
  })
  await call('a body that is no JSON is refused', async () => {
    const answer = await asked('/notes', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: '}{',
    })
    equal([answer.status, answer.data.code], [400, 'PGRST102'])
  })
  await call('an unknown preference is refused where it must be understood', async () => {
    const answer = await asked('/tags', { headers: { Prefer: 'handling=strict, anything' } })
    equal([answer.status, answer.data.code], [400, 'PGRST122'])
    equal((await asked('/tags', { headers: { Prefer: 'anything' } })).status, 200)
  })
  await call('what was preferred and followed is told', async () => {
    const answer = await asked(
      '/notes',
      json({ owner: OWNER, title: 'preferred' }, { Prefer: 'return=representation, missing=default, tx=rollback' }),
    )
    for (const applied of ['return=representation', 'tx=rollback']) {
      if (!answer.header('preference-applied')?.includes(applied))
        throw differs(applied, answer.header('preference-applied'))
    }
  })
  await call('the service describes itself as OpenAPI', async () => {
    const { status, data } = await asked('/openapi.json')
    equal([status, data.openapi?.slice(0, 3)], [200, '3.1'])
    for (const path of ['/products', '/order_totals', '/rpc/add_them'])
      if (!data.paths[path]) throw differs(path, Object.keys(data.paths))
  })
}

async function browsers() {
  const origin = 'https://page.example'
  await call('a page of another origin may ask whether it may', async () => {
    const answer = await asked('/notes', {
      method: 'OPTIONS',
      headers: {
        Origin: origin,
        'Access-Control-Request-Method': 'PATCH',
        'Access-Control-Request-Headers': 'content-type,if-match,prefer',
      },
    })
    if (answer.status !== 200 && answer.status !== 204) throw differs('200 or 204', answer.status)
    if (!['*', origin].includes(answer.header('access-control-allow-origin')))
      throw differs(origin, answer.header('access-control-allow-origin'))
    if (!answer.header('access-control-allow-methods')?.includes('PATCH'))
      throw differs('PATCH', answer.header('access-control-allow-methods'))
    for (const name of ['content-type', 'if-match', 'prefer']) {
      if (!answer.header('access-control-allow-headers')?.toLowerCase().includes(name))
        throw differs(name, answer.header('access-control-allow-headers'))
    }
  })
  await call('a page of another origin may read the answer and its headers', async () => {
    const answer = await asked('/tags', { headers: { Origin: origin } })
    if (!['*', origin].includes(answer.header('access-control-allow-origin')))
      throw differs(origin, answer.header('access-control-allow-origin'))
    for (const name of ['content-range', 'etag', 'link']) {
      if (!answer.header('access-control-expose-headers')?.toLowerCase().includes(name))
        throw differs(name, answer.header('access-control-expose-headers'))
    }
  })
  await call('OPTIONS names the methods', async () => {
    const methods = async (path) => (await asked(path, { method: 'OPTIONS' })).header('allow')?.split(/,\s*/).sort()
    equal(await methods('/notes'), ['DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT'])
    equal(await methods('/ledger'), ['GET', 'HEAD', 'OPTIONS', 'POST'])
    equal(await methods('/stock_list'), ['GET', 'HEAD', 'OPTIONS'])
  })
}

async function transactions() {
  const operation = (method, path, body, headers) => ({
    method,
    path,
    ...(body && { body }),
    ...(headers && { headers }),
  })
  const whole = (operations, headers) => asked('/transaction', json({ operations }, headers))
  const rank = (title) => value(`select rank from notes where owner = '${OWNER}' and title = '${title}'`)
  await call('several operations are one transaction, each sees what those before it did', async () => {
    const place = `/notes?owner=eq.${encodeURIComponent(OWNER)}&title=eq.together`
    const answer = await whole([
      operation('POST', '/notes', { owner: OWNER, title: 'together', rank: 1 }),
      operation('PATCH', place, { rank: 2 }, { Prefer: 'return=representation' }),
      operation('GET', `${place}&select=rank,version`),
    ])
    equal(answer.status, 200)
    equal(
      answer.data.results.map((result) => result.status),
      [201, 200, 200],
    )
    equal(answer.data.results[1].body[0].rank, 2)
    equal(answer.data.results[2].body, [{ rank: 2, version: 2 }])
    equal(await rank('together'), 2)
  })
  await call('an operation that fails takes all back, and is named', async () => {
    const answer = await whole([
      operation('PATCH', `/notes?owner=eq.${encodeURIComponent(OWNER)}&title=eq.together`, { rank: 7 }),
      operation('POST', '/notes', { owner: OWNER, title: 'together' }),
    ])
    equal([answer.status, answer.data.code, answer.data.operation, answer.data.path], [409, '23505', 1, '/notes'])
    equal(await rank('together'), 2)
  })
  await call('an operation under a stale version takes all back', async () => {
    const id = await value(`select id from notes where owner = '${OWNER}' and title = 'together'`)
    const answer = await whole([
      operation('POST', '/notes', { owner: OWNER, title: 'beside' }),
      operation('PATCH', `/notes?id=eq.${id}`, { rank: 8 }, { 'If-Match': '"1"' }),
    ])
    equal([answer.status, answer.data.operation], [412, 1])
    equal(await rows(`select title from notes where owner = '${OWNER}' and title = 'beside'`), [])
  })
  await call('a transaction is repeated under its key only once', async () => {
    const headers = { 'Idempotency-Key': `"${crypto.randomUUID()}"` }
    const twice = () => whole([operation('POST', '/notes', { owner: OWNER, title: 'keyed together' })], headers)
    const [first, second] = [await twice(), await twice()]
    equal([first.status, second.status], [200, 200])
    equal(second.data, first.data)
  })
}
