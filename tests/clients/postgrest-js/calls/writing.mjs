// Rows that are written, and what comes back.

import { answered, api, call, equal, rows, same, settled, sql, value } from '../harness.mjs'

const OWNER = 'js'

export async function writing() {
  await inserts()
  await upserts()
  await updates()
  await deletes()
  await guards()
}

/** Begins anew with these titles. */
async function notes(...titles) {
  await sql('delete from notes where owner = $1', [OWNER])
  await sql(
    'insert into notes (owner, title, rank) select $1, t, n from unnest($2::text[]) with ordinality as u (t, n)',
    [OWNER, titles],
  )
}

const all = (columns = '*') => `select ${columns} from notes where owner = '${OWNER}' order by id`

async function inserts() {
  await notes()
  await call('inserts a row, and answers nothing', async () => {
    const answer = await answered(api.from('notes').insert({ owner: OWNER, title: 'plain' }))
    equal([answer.data, answer.status], [null, 201])
    equal(await rows(all('title, body, rank, pinned')), [{ title: 'plain', body: 'empty', rank: 5, pinned: false }])
  })
  await call('inserts a row, and answers it', async () => {
    await notes()
    const note = {
      owner: OWNER,
      title: 'Größe "ä" \\ 🎈\n, {}',
      labels: ['a,b', 'c "d"', ''],
      extra: { deep: [1, null, { x: 'ü' }] },
    }
    const answer = await answered(api.from('notes').insert(note).select())
    equal(answer.status, 201)
    equal(answer.data, await rows(all()))
    equal(
      { title: answer.data[0].title, labels: answer.data[0].labels, extra: answer.data[0].extra },
      { title: note.title, labels: note.labels, extra: note.extra },
    )
  })
  await call('inserts a row, and answers some of it as an object', async () => {
    await notes()
    const answer = await answered(
      api.from('notes').insert({ owner: OWNER, title: 'one', rank: null }).select('called:title,rank,body').single(),
    )
    equal(answer.data, { called: 'one', rank: null, body: 'empty' })
  })
  await call('inserts a row, and answers it with its relation', async () => {
    await notes()
    const answer = await answered(
      api
        .from('notes')
        .insert({ owner: OWNER, title: 'of a product', product_id: 9 })
        .select('title,products(sku)')
        .single(),
    )
    equal(answer.data, { title: 'of a product', products: { sku: 'SKU-0009' } })
  })
  await call('inserts many rows', async () => {
    await notes()
    const many = Array.from({ length: 40 }, (_, n) => ({
      owner: OWNER,
      title: `many ${n}`,
      rank: n,
      pinned: n % 2 === 0,
    }))
    const answer = await answered(api.from('notes').insert(many, { count: 'exact' }).select('title,rank,pinned'))
    equal([answer.status, answer.count], [201, 40])
    equal(answer.data, await rows(all('title, rank, pinned')))
  })
  await call('a field that a row of many lacks is null', async () => {
    await notes()
    await answered(
      api.from('notes').insert([
        { owner: OWNER, title: 'a', rank: 1 },
        { owner: OWNER, title: 'b' },
      ]),
    )
    equal(await rows(all('title, rank')), [
      { title: 'a', rank: 1 },
      { title: 'b', rank: null },
    ])
  })
  await call('a field that a row of many lacks is its default, when asked', async () => {
    await notes()
    await answered(
      api.from('notes').insert(
        [
          { owner: OWNER, title: 'a', rank: 1 },
          { owner: OWNER, title: 'b', body: 'given' },
        ],
        { defaultToNull: false },
      ),
    )
    equal(await rows(all('title, rank, body')), [
      { title: 'a', rank: 1, body: 'empty' },
      { title: 'b', rank: 5, body: 'given' },
    ])
  })
  await call('inserts no rows', async () => {
    const answer = await answered(api.from('notes').insert([]).select())
    equal([answer.data, answer.status], [[], 201])
  })
  await call('of many rows all are written, or none', async () => {
    await notes('there')
    const answer = await settled(
      api.from('notes').insert([
        { owner: OWNER, title: 'new' },
        { owner: OWNER, title: 'there' },
      ]),
    )
    equal([answer.status, answer.error?.code], [409, '23505'])
    equal(await rows(all('title')), [{ title: 'there' }])
  })
  await call('inserts into columns whose names must be quoted', async () => {
    await sql('delete from odd_names where id = 90')
    const odd = {
      id: 90,
      'Größe (cm)': 12.5,
      'some.name': 'dots',
      'Mixed Case': 'M',
      order: 7,
      select: 's',
      'über-cool': true,
    }
    const answer = await answered(
      api
        .from('odd_names')
        .insert([odd])
        .select('id,"Größe (cm)","some.name","Mixed Case",order,select,über-cool')
        .single(),
    )
    equal(answer.data, odd)
    await sql('delete from odd_names where id = 90')
  })
  await call('what was written is taken back when asked', async () => {
    await notes()
    const answer = await answered(
      api.from('notes').insert({ owner: OWNER, title: 'for nothing' }).select('title').rollback(),
    )
    equal([answer.data, answer.status], [[{ title: 'for nothing' }], 201])
    equal(await rows(all()), [])
  })
  await call('appends to a table that is only appended to', async () => {
    const answer = await answered(api.from('ledger').insert({ owner: OWNER, amount: 5 }).select('id,amount').single())
    equal(answer.data.amount, await value('select amount from ledger where id = $1', [answer.data.id]))
  })
}

async function upserts() {
  await sql('delete from settings where owner = $1', [OWNER])
  await sql(`insert into settings (owner, name, value, changed) values ($1, 'a', 'old', 7), ($1, 'b', 'old', 8)`, [
    OWNER,
  ])
  const settings = `select name, value, changed from settings where owner = '${OWNER}' order by name`
  await call('upserts by the primary key', async () => {
    const answer = await answered(
      api
        .from('settings')
        .upsert([
          { owner: OWNER, name: 'a', value: 'new' },
          { owner: OWNER, name: 'c', value: 'new' },
        ])
        .select('name,value,changed')
        .order('name'),
    )
    equal(answer.data, [
      { name: 'a', value: 'new', changed: 7 },
      { name: 'c', value: 'new', changed: 1 },
    ])
    equal(answer.status, 201)
    equal(await rows(settings), [
      { name: 'a', value: 'new', changed: 7 },
      { name: 'b', value: 'old', changed: 8 },
      { name: 'c', value: 'new', changed: 1 },
    ])
  })
  await call('an upsert that inserts nothing is no creation', async () => {
    const answer = await answered(
      api.from('settings').upsert({ owner: OWNER, name: 'b', value: 'newer' }).select('value').single(),
    )
    equal([answer.data, answer.status], [{ value: 'newer' }, 200])
  })
  await call('ignores rows that are there', async () => {
    const answer = await answered(
      api
        .from('settings')
        .upsert(
          [
            { owner: OWNER, name: 'a', value: 'ignored' },
            { owner: OWNER, name: 'd', value: 'first' },
          ],
          { ignoreDuplicates: true },
        )
        .select('name,value'),
    )
    equal(answer.data, [{ name: 'd', value: 'first' }])
    equal(
      (await rows(settings)).map((s) => s.value),
      ['new', 'newer', 'new', 'first'],
    )
  })
  await call('upserts by another unique constraint', async () => {
    await notes('x', 'y')
    const answer = await answered(
      api
        .from('notes')
        .upsert(
          [
            { owner: OWNER, title: 'y', body: 'changed' },
            { owner: OWNER, title: 'z', body: 'made' },
          ],
          { onConflict: 'owner,title', defaultToNull: false },
        )
        .select('title,body,rank'),
    )
    equal(answer.data, [
      { title: 'y', body: 'changed', rank: 2 },
      { title: 'z', body: 'made', rank: 5 },
    ])
    equal(await rows(all('title, body')), [
      { title: 'x', body: 'empty' },
      { title: 'y', body: 'changed' },
      { title: 'z', body: 'made' },
    ])
  })
  await call('a changed row has a new version', async () => {
    equal(await value(`select json_object_agg(title, version) from notes where owner = '${OWNER}'`), {
      x: 1,
      y: 2,
      z: 1,
    })
  })
}

async function updates() {
  await call('updates the rows of a filter, and answers nothing', async () => {
    await notes('a', 'b', 'c')
    const answer = await answered(
      api.from('notes').update({ body: 'changed', rank: null }).eq('owner', OWNER).gte('rank', 2),
    )
    equal([answer.data, answer.status], [null, 204])
    equal(await rows(all('title, body, rank')), [
      { title: 'a', body: 'empty', rank: 1 },
      { title: 'b', body: 'changed', rank: null },
      { title: 'c', body: 'changed', rank: null },
    ])
  })
  await same(
    'updates, and answers the rows as they are now',
    api.from('notes').update({ pinned: true }).eq('owner', OWNER).in('title', ['a', 'c']).select().order('id'),
    `select * from notes where owner = '${OWNER}' and pinned order by id`,
    { status: 200 },
  )
  await call('updates one row, and answers it as an object with its relation', async () => {
    const answer = await answered(
      api
        .from('notes')
        .update({ product_id: 3, extra: { a: 1 } })
        .match({ owner: OWNER, title: 'b' })
        .select('title,extra->a,products(name)')
        .single(),
    )
    equal(answer.data, { title: 'b', a: 1, products: { name: 'Wool blanket 3' } })
  })
  await call('counts what it updates', async () => {
    const answer = await answered(api.from('notes').update({ body: 'x' }, { count: 'exact' }).eq('owner', OWNER))
    equal([answer.count, answer.status], [3, 204])
  })
  await call('updates with a tree of filters', async () => {
    await answered(
      api.from('notes').update({ body: 'tree' }).eq('owner', OWNER).or('title.eq.a,and(title.eq.c,pinned.is.true)'),
    )
    equal(await rows(all('title, body')), [
      { title: 'a', body: 'tree' },
      { title: 'b', body: 'x' },
      { title: 'c', body: 'tree' },
    ])
  })
  await call('updates nothing where no row fits', async () => {
    const answer = await answered(api.from('notes').update({ body: 'y' }).eq('owner', 'nobody').select())
    equal([answer.data, answer.status], [[], 200])
  })
  await call('an update of more rows than the one object that is asked for is taken back', async () => {
    const answer = await settled(api.from('notes').update({ body: 'z' }).eq('owner', OWNER).select().single())
    equal([answer.status, answer.error?.code], [406, 'PGRST116'])
    equal(await value(`select count(*) from notes where body = 'z'`), 0)
  })
  await call('an update is taken back when asked', async () => {
    const answer = await answered(
      api.from('notes').update({ body: 'for nothing' }).eq('owner', OWNER).select('body').rollback(),
    )
    equal(answer.data.length, 3)
    equal(await value(`select count(*) from notes where body = 'for nothing'`), 0)
  })
}

async function deletes() {
  await call('deletes, and answers nothing', async () => {
    await notes('a', 'b', 'c', 'd', 'e')
    const answer = await answered(api.from('notes').delete().eq('owner', OWNER).eq('title', 'a'))
    equal([answer.data, answer.status], [null, 204])
    equal((await rows(all())).length, 4)
  })
  await call('deletes, and answers the rows that are gone', async () => {
    const before = await rows(
      `select title, rank, labels from notes where owner = '${OWNER}' and rank in (2, 3) order by rank`,
    )
    const answer = await answered(
      api.from('notes').delete().eq('owner', OWNER).in('rank', [2, 3]).select('title,rank,labels').order('rank'),
    )
    equal([answer.data, answer.status], [before, 200])
    equal(await rows(all('title')), [{ title: 'd' }, { title: 'e' }])
  })
  await call('counts what it deletes', async () => {
    const answer = await answered(api.from('notes').delete({ count: 'exact' }).eq('owner', OWNER))
    equal([answer.count, answer.status], [2, 204])
  })
  await call('deletes perhaps one row', async () => {
    await notes('last')
    const request = () => api.from('notes').delete().eq('owner', OWNER).select('title').maybeSingle()
    equal((await answered(request())).data, { title: 'last' })
    equal((await answered(request())).data, null)
  })
}

async function guards() {
  await call('a change of more rows than allowed is taken back', async () => {
    await notes('a', 'b', 'c')
    const answer = await settled(api.from('notes').update({ body: 'too many' }).eq('owner', OWNER).maxAffected(2))
    equal([answer.status, answer.error?.code], [400, 'PGRST124'])
    equal(await value(`select count(*) from notes where body = 'too many'`), 0)
  })
  await call('a deletion of more rows than allowed is taken back', async () => {
    const answer = await settled(api.from('notes').delete().eq('owner', OWNER).select('id').maxAffected(1))
    equal([answer.status, answer.error?.code, answer.error?.details], [400, 'PGRST124', 'The query affects 3 rows'])
    equal((await rows(all())).length, 3)
  })
  await call('a change of as many rows as allowed is carried out', async () => {
    const answer = await answered(
      api.from('notes').delete().eq('owner', OWNER).select('title').order('title').maxAffected(3),
    )
    equal(answer.data, [{ title: 'a' }, { title: 'b' }, { title: 'c' }])
    equal(await rows(all()), [])
  })
}
