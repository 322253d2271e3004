// What every call shares: the client, the database beside it, and the comparison of both.
//
// A call is good when the client's answer is deeply what SQL says, where the SQL was written by hand for it.

import { deepStrictEqual } from 'node:assert/strict'
import { PostgrestClient } from '@supabase/postgrest-js'
import pg from 'pg'

/** Where the service answers. */
export const url = variable('FREEHOLD_STORE_URL')

/** The client, as anybody has it. It does not try again: an answer that does not come is a finding. */
export const api = new PostgrestClient(url, { retry: false })

const database = new pg.Client({ connectionString: variable('FREEHOLD_STORE_DATABASE_URL') })
await database.connect()

/** Characters of a value that a difference shows. */
const SHOWN_MAX = 1500

let made = 0
const different = []

/** The service is gone: whatever follows would fail for the same reason. */
class Unreachable extends Error {}

function variable(name) {
  const value = process.env[name]
  if (!value) {
    console.error(`${name} is not set: run scripts/clients`)
    process.exit(2)
  }
  return value
}

/** Runs one statement. */
export async function sql(statement, values = []) {
  return (await database.query(statement, values)).rows
}

/** What a query gives, as JSON that PostgreSQL wrote. */
export async function rows(query, values = []) {
  const [row] = await sql(`select coalesce(json_agg(to_json(r)), '[]') as json from (${query}) r`, values)
  return row.json
}

/** What a query of one column and one row gives, as JSON. */
export async function value(query, values = []) {
  const [row] = await sql(`select to_json((${query})) as json`, values)
  return row.json
}

/** One call: good unless `work` throws. */
export async function call(name, work) {
  made += 1
  try {
    await work()
    console.log(`ok ${made} ${name}`)
  } catch (error) {
    if (error instanceof Unreachable) throw error
    different.push(`${made} ${name}`)
    console.log(`not ok ${made} ${name}`)
    console.log(indented(error.shown ?? error.stack ?? String(error)))
  }
}

/** One call whose rows are those of a query; `also` may name `status` and `count`. */
export async function same(name, request, query, also = {}) {
  await call(name, async () => {
    const answer = await answered(request)
    equal(answer.data, await rows(query))
    agree(answer, also)
  })
}

/** One call whose object is the one row of a query. */
export async function sameRow(name, request, query, also = {}) {
  await call(name, async () => {
    const answer = await answered(request)
    const [row, ...rest] = await rows(query)
    equal(rest, [])
    equal(answer.data, row)
    agree(answer, also)
  })
}

/** One call that is refused with this status and code; `also` may ask more of the error. */
export async function refused(name, request, status, code, also = {}) {
  await call(name, async () => {
    const answer = await settled(request)
    equal({ status: answer.status, code: answer.error?.code }, { status, code })
    equal(answer.data, null)
    const { message, details, hint } = answer.error
    if (typeof message !== 'string' || message === '') throw differs('a message', message)
    for (const [key, text] of Object.entries({ details, hint })) {
      if (text === undefined) throw differs(`${key} to be there, if only as null`, answer.error)
    }
    for (const [key, wanted] of Object.entries(also)) {
      const got = answer.error[key]
      if (wanted instanceof RegExp ? !wanted.test(got) : got !== wanted) throw differs(`${key} ${wanted}`, got)
    }
  })
}

/** The answer to a request that is expected to succeed. */
export async function answered(request) {
  const answer = await settled(request)
  if (answer.error) throw differs('no error', { status: answer.status, ...answer.error })
  return answer
}

/** The answer, good or bad. */
export async function settled(request) {
  const answer = await request
  if (answer.status === 0) throw new Unreachable(answer.error.message)
  return answer
}

/** A request past the client. */
export async function http(path, options = {}) {
  try {
    return await fetch(url + path, options)
  } catch (error) {
    throw new Unreachable(error.cause?.message ?? error.message)
  }
}

/** Throws unless both are deeply the same. */
export function equal(got, expected) {
  try {
    deepStrictEqual(got, expected)
  } catch {
    throw differs(expected, got)
  }
}

function agree(answer, also) {
  for (const [key, wanted] of Object.entries(also)) equal({ [key]: answer[key] }, { [key]: wanted })
}

/** The error that shows what was expected, and what came. */
export function differs(expected, got) {
  const error = new Error('different')
  error.shown = `expected ${shown(expected)}\ngot      ${shown(got)}\n${place(got, expected, '$')}`.trimEnd()
  return error
}

function shown(thing) {
  const text = typeof thing === 'string' ? thing : (JSON.stringify(thing) ?? String(thing))
  return text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text
}

/** Where two values differ first. */
function place(got, expected, path) {
  const nested = (thing) => typeof thing === 'object' && thing !== null
  if (!nested(got) || !nested(expected)) {
    return got === expected || path === '$' ? '' : `first difference at ${path}: ${shown(expected)} / ${shown(got)}`
  }
  for (const key of new Set([...Object.keys(expected), ...Object.keys(got)])) {
    const found = place(got[key], expected[key], `${path}.${key}`)
    if (found) return found
  }
  return ''
}

function indented(text) {
  return text.replaceAll(/^/gm, '    ')
}

/** Runs all groups in order, says what came of it, and ends the process. */
export async function run(groups) {
  try {
    for (const group of groups) await group()
  } catch (error) {
    console.error(error instanceof Unreachable ? `the service does not answer: ${error.message}` : error)
    process.exit(1)
  }
  await database.end()
  console.log(`\npostgrest-js: ${made} calls, ${made - different.length} as expected, ${different.length} different`)
  for (const name of different) console.log(`  ${name}`)
  process.exit(different.length === 0 ? 0 : 1)
}
