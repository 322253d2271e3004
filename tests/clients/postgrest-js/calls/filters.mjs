// Every method that filters, on the columns it is for.

import { api, same } from '../harness.mjs'

/** Calls a filter on a table and compares the ids with those of a condition. */
async function each(table, cases) {
  for (const [name, filter, condition] of cases) {
    await same(
      name,
      filter(api.from(table).select('id')).order('id'),
      `select id from ${table} where ${condition} order by id`,
    )
  }
}

export async function filters() {
  await each('products', compared)
  await each('products', patterns)
  await each('products', lists)
  await each('products', ranges)
  await each('products', words)
  await each('products', json)
  await each('products', trees)
  await each('customers', values)
  await each('odd_names', names)
}

const compared = [
  ['eq', (q) => q.eq('id', 17), 'id = 17'],
  ['neq', (q) => q.neq('price', 5.95), 'price <> 5.95'],
  ['gt', (q) => q.gt('price', 50), 'price > 50'],
  ['gte', (q) => q.gte('price', 50.5), 'price >= 50.5'],
  ['lt', (q) => q.lt('weight', 1.5), 'weight < 1.5'],
  ['lte', (q) => q.lte('ratio', 3), 'ratio <= 3'],
  ['two filters on one column must both hold', (q) => q.gt('id', 10).lt('id', 20), 'id > 10 and id < 20'],
  ['is null', (q) => q.is('weight', null), 'weight is null'],
  ['is true', (q) => q.is('discontinued', true), 'discontinued is true'],
  ['is false', (q) => q.is('discontinued', false), 'discontinued is false'],
  ['is not null', (q) => q.not('stock', 'is', null), 'stock is not null'],
  ['is not_null', (q) => q.filter('barcode', 'is', 'not_null'), 'barcode is not null'],
  ['isDistinct', (q) => q.isDistinct('weight', 0.125), 'weight is distinct from 0.125'],
  ['not eq', (q) => q.not('id', 'eq', 1), 'not id = 1'],
  ['not gt leaves null out', (q) => q.not('weight', 'gt', 1), 'not weight > 1'],
  [
    'match is all of its columns',
    (q) => q.match({ discontinued: false, price: 10.9 }),
    'not discontinued and price = 10.9',
  ],
  ['filter takes any operator', (q) => q.filter('price', 'gte', 60), 'price >= 60'],
  ['eq with any of several values', (q) => q.filter('id', 'eq(any)', '{3,5,8}'), 'id = any (array[3, 5, 8])'],
  ['gte with all of several values', (q) => q.filter('id', 'gte(all)', '{30,50}'), 'id >= all (array[30, 50])'],
]

const patterns = [
  ['like with percent signs', (q) => q.like('name', 'Tea%'), `name like 'Tea%'`],
  ['like with stars', (q) => q.like('name', '*cup*'), `name like '%cup%'`],
  ['like knows the case', (q) => q.like('name', '%CUP%'), `name like '%CUP%'`],
  ['like with one character left open', (q) => q.like('sku', 'SKU-00_5'), `sku like 'SKU-00_5'`],
  ['like with a percent sign that is one', (q) => q.like('description', '%100\\%%'), `description like '%100\\%%'`],
  ['ilike does not know the case', (q) => q.ilike('name', '%TEA%'), `name ilike '%TEA%'`],
  ['not ilike', (q) => q.not('name', 'ilike', '*tea*'), `name not ilike '%tea%'`],
  ['likeAllOf', (q) => q.likeAllOf('name', ['%e%', '%p %']), `name like '%e%' and name like '%p %'`],
  ['likeAnyOf', (q) => q.likeAnyOf('name', ['Tea%', '%lamp%']), `(name like 'Tea%' or name like '%lamp%')`],
  ['ilikeAllOf', (q) => q.ilikeAllOf('name', ['%T%', '%POT%']), `name ilike '%t%' and name ilike '%pot%'`],
  ['ilikeAnyOf', (q) => q.ilikeAnyOf('name', ['WOOL%', '%CHAIR 5']), `(name ilike 'wool%' or name ilike '%chair 5')`],
  ['regexMatch', (q) => q.regexMatch('name', '^Tea.*[0-9]{2}$'), `name ~ '^Tea.*[0-9]{2}$'`],
  ['regexIMatch', (q) => q.regexIMatch('name', '(lamp|chair) 1'), `name ~* '(lamp|chair) 1'`],
]

const lists = [
  ['in of numbers', (q) => q.in('id', [1, 1, 2, 99, 60]), 'id in (1, 2, 60)'],
  ['in of texts', (q) => q.in('sku', ['SKU-0001', 'SKU-0031']), `sku in ('SKU-0001', 'SKU-0031')`],
  ['in of nothing', (q) => q.in('id', []), 'false'],
  [
    'in of an empty text and another',
    (q) => q.in('description', ['', 'Warm wool from the quiet north.']),
    `description in ('', 'Warm wool from the quiet north.')`,
  ],
  ['notIn', (q) => q.notIn('id', [1, 2, 3]), 'id not in (1, 2, 3)'],
  ['not in', (q) => q.not('id', 'in', '(4,5)'), 'id not in (4, 5)'],
  ['contains, of arrays', (q) => q.contains('colours', ['blue']), `colours @> '{blue}'`],
  [
    'contains, of an element with a space',
    (q) => q.contains('colours', ['"dark green"']),
    `colours @> '{"dark green"}'`,
  ],
  ['contains, of numbers', (q) => q.contains('sizes', [1, 40]), `sizes @> '{1,40}'`],
  ['containedBy, of arrays', (q) => q.containedBy('colours', ['red', 'blue']), `colours <@ '{red,blue}'`],
  ['overlaps, of arrays', (q) => q.overlaps('sizes', [2, 3]), `sizes && '{2,3}'`],
  ['eq of a whole array', (q) => q.eq('colours', '{red,blue}'), `colours = '{red,blue}'`],
  ['an array is empty', (q) => q.eq('colours', '{}'), `colours = '{}'`],
  ['not contains', (q) => q.not('colours', 'cs', '{red}'), `not colours @> '{red}'`],
]

const ranges = [
  ['contains, of ranges', (q) => q.contains('stock', '[15,18)'), `stock @> '[15,18)'`],
  ['containedBy, of ranges', (q) => q.containedBy('stock', '[10,40]'), `stock <@ '[10,40]'`],
  ['overlaps, of dates', (q) => q.overlaps('season', '[2025-03-01,2025-03-15)'), `season && '[2025-03-01,2025-03-15)'`],
  [
    'overlaps, of times',
    (q) => q.overlaps('promoted', '["2025-01-10 12:00:00+00","2025-01-12 00:00:00+02")'),
    `promoted && '["2025-01-10 12:00:00+00","2025-01-12 00:00:00+02")'`,
  ],
  ['rangeGt', (q) => q.rangeGt('stock', '[10,20)'), `stock >> '[10,20)'`],
  ['rangeGte', (q) => q.rangeGte('stock', '[10,20)'), `stock &> '[10,20)'`],
  ['rangeLt', (q) => q.rangeLt('stock', '[30,40)'), `stock << '[30,40)'`],
  ['rangeLte', (q) => q.rangeLte('season', '[2025-02-01,2025-03-10)'), `season &< '[2025-02-01,2025-03-10)'`],
  ['rangeAdjacent', (q) => q.rangeAdjacent('stock', '[20,25)'), `stock -|- '[20,25)'`],
]

const words = [
  ['textSearch', (q) => q.textSearch('search', "pot | 'lamp'"), `search @@ to_tsquery('pot | ''lamp''')`],
  [
    'textSearch in a language',
    (q) => q.textSearch('search', 'pouring & !chairs', { config: 'english' }),
    `search @@ to_tsquery('english', 'pouring & !chairs')`,
  ],
  [
    'textSearch of plain words',
    (q) => q.textSearch('search', 'Hot Coffee!', { type: 'plain', config: 'english' }),
    `search @@ plainto_tsquery('english', 'Hot Coffee!')`,
  ],
  [
    'textSearch of a phrase',
    (q) => q.textSearch('search', 'quiet north', { type: 'phrase' }),
    `search @@ phraseto_tsquery('quiet north')`,
  ],
  [
    'textSearch as on the web',
    (q) => q.textSearch('search', '"long evenings" or wool -blanket', { type: 'websearch', config: 'english' }),
    `search @@ websearch_to_tsquery('english', '"long evenings" or wool -blanket')`,
  ],
  [
    'textSearch in a column of text',
    (q) => q.textSearch('description', 'holding', { config: 'english' }),
    `to_tsvector('english', description) @@ to_tsquery('english', 'holding')`,
  ],
  [
    'not textSearch',
    (q) => q.not('search', 'wfts(english)', 'wool'),
    `not search @@ websearch_to_tsquery('english', 'wool')`,
  ],
]

const json = [
  ['eq of a text in JSON', (q) => q.eq('attributes->>material', 'clay'), `attributes->>'material' = 'clay'`],
  [
    'gt of a number in JSON',
    (q) => q.gt('attributes->dimensions->width', 50),
    `attributes->'dimensions'->'width' > '50'`,
  ],
  ['eq of a truth in JSON', (q) => q.eq('attributes->eco', true), `attributes->'eco' = 'true'`],
  ['eq of an element in JSON', (q) => q.eq('attributes->parts->>1', '12'), `attributes->'parts'->>1 = '12'`],
  [
    'in of texts in JSON',
    (q) => q.in('attributes->>material', ['clay', 'wool']),
    `attributes->>'material' in ('clay', 'wool')`,
  ],
  ['is null in JSON', (q) => q.is('attributes->nothing', null), `attributes->'nothing' is null`],
  [
    'contains, of JSON',
    (q) => q.contains('attributes', { eco: true, material: 'clay' }),
    `attributes @> '{"eco": true, "material": "clay"}'`,
  ],
  [
    'contains, of nested JSON',
    (q) => q.contains('attributes', { dimensions: { height: 8 } }),
    `attributes @> '{"dimensions": {"height": 8}}'`,
  ],
  [
    'containedBy, of JSON',
    (q) => q.containedBy('attributes->dimensions', { width: 3, height: 6, depth: 1 }),
    `attributes->'dimensions' <@ '{"width": 3, "height": 6, "depth": 1}'`,
  ],
  [
    'eq of an element of an array column',
    (q) => q.eq('colours->>0', 'dark green'),
    `to_jsonb(colours)->>0 = 'dark green'`,
  ],
]

const trees = [
  ['or', (q) => q.or('price.lt.5,discontinued.is.true'), '(price < 5 or discontinued is true)'],
  [
    'and, or and not inside each other',
    (q) => q.or('and(price.gte.10,price.lt.20,id.gt.20),not.and(weight.gte.1,weight.lte.7)'),
    '((price >= 10 and price < 20 and id > 20) or not (weight >= 1 and weight <= 7))',
  ],
  ['or with a list', (q) => q.or('id.in.(1,2,3),name.ilike.*lamp*'), `(id in (1, 2, 3) or name ilike '%lamp%')`],
  ['or with not', (q) => q.or('id.not.gt.3,weight.not.is.null'), '(not id > 3 or weight is not null)'],
  [
    'or with a quoted value',
    (q) => q.or('name.eq."Tea pot 6",sku.eq."SKU-0002"'),
    `(name = 'Tea pot 6' or sku = 'SKU-0002')`,
  ],
  [
    'or with an array',
    (q) => q.or('colours.cs.{"dark green",blue},id.eq.1'),
    `(colours @> '{"dark green",blue}' or id = 1)`,
  ],
  ['or with a range', (q) => q.or('stock.sl."[5,12)",id.gt.58'), `(stock << '[5,12)' or id > 58)`],
  [
    'or with JSON',
    (q) => q.or('attributes->>material.eq.clay,attributes->eco.eq.true'),
    `(attributes->>'material' = 'clay' or attributes->'eco' = 'true')`,
  ],
  [
    'or with words',
    (q) => q.or('search.wfts(english).blanket,search.plfts.lamp'),
    `(search @@ websearch_to_tsquery('english', 'blanket') or search @@ plainto_tsquery('lamp'))`,
  ],
  [
    'or with any of several values',
    (q) => q.or('name.like(any).{Tea%,Wool%},id.eq(any).{5,11}'),
    `(name like 'Tea%' or name like 'Wool%' or id in (5, 11))`,
  ],
  [
    'two trees must both hold',
    (q) => q.or('id.lt.10,id.gt.50').or('price.gt.40,discontinued.is.true'),
    '(id < 10 or id > 50) and (price > 40 or discontinued)',
  ],
]

const values = [
  [
    'eq of a uuid',
    (q) => q.eq('id', '00000000-0000-4000-8000-000000000012'),
    `id = '00000000-0000-4000-8000-000000000012'`,
  ],
  ['eq of an enum', (q) => q.eq('level', 'gold'), `level = 'gold'`],
  ['gt of an enum is in its own order', (q) => q.gt('level', 'bronze'), `level > 'bronze'`],
  ['in of enums', (q) => q.in('level', ['bronze', 'gold']), `level in ('bronze', 'gold')`],
  [
    'gte of a time with an offset',
    (q) => q.gte('since', '2024-01-20T10:00:00+02:00'),
    `since >= '2024-01-20T10:00:00+02:00'`,
  ],
  ['lt of a date', (q) => q.lt('born', '1975-06-01'), `born < '1975-06-01'`],
  ['gt of a number beyond 32 bits', (q) => q.gt('visits', 20000000000), 'visits > 20000000000'],
  ['lt of a negative number', (q) => q.lt('score', -1.5), 'score < -1.5'],
  ['is unknown', (q) => q.filter('active', 'is', 'unknown'), 'active is unknown'],
  ['eq of a text with a comma', (q) => q.eq('name', 'Gus, Jr. 6'), `name = 'Gus, Jr. 6'`],
  ['eq of a text with quotes', (q) => q.eq('name', 'Hana "H" 7'), `name = 'Hana "H" 7'`],
  ['in of texts with commas', (q) => q.in('name', ['Gus, Jr. 6', 'Bo 1']), `name in ('Gus, Jr. 6', 'Bo 1')`],
  ['in of texts with quotes', (q) => q.in('name', ['Hana "H" 7', 'Féodor 5']), `name in ('Hana "H" 7', 'Féodor 5')`],
  ['eq of a text beyond ASCII', (q) => q.eq('name', 'Féodor 13'), `name = 'Féodor 13'`],
  [
    'or of texts with commas and quotes',
    (q) => q.or('name.eq."Gus, Jr. 14",name.eq."Hana \\"H\\" 15"'),
    `name in ('Gus, Jr. 14', 'Hana "H" 15')`,
  ],
  ['contains an element with a comma', (q) => q.contains('tags', ['"comma,inside"']), `tags @> '{"comma,inside"}'`],
  ['eq of a text that looks like an operator', (q) => q.eq('email', 'not.eq.x'), `email = 'not.eq.x'`],
]

const names = [
  ['a name with a space, brackets and an umlaut', (q) => q.gt('"Größe (cm)"', 100), '"Größe (cm)" > 100'],
  ['a name with a dot', (q) => q.eq('"some.name"', 'a,b'), `"some.name" = 'a,b'`],
  ['a name with a capital and a space', (q) => q.eq('Mixed Case', 'Alpha'), `"Mixed Case" = 'Alpha'`],
  ['a name that is a word of the query', (q) => q.eq('"order"', 2), '"order" = 2'],
  ['a name with a quote', (q) => q.eq('"quo\\"te"', 'q"2'), `"quo""te" = 'q"2'`],
  ['a name with a hyphen', (q) => q.is('über-cool', true), '"über-cool"'],
  [
    'such names in or',
    (q) => q.or('"Größe (cm)".is.null,"some.name".eq.dot one,order.eq.1'),
    `("Größe (cm)" is null or "some.name" = 'dot one' or "order" = 1)`,
  ],
]
