// Drives @supabase/postgrest-js through everything it can ask, and compares each answer with SQL: see scripts/clients.

import { run } from './harness.mjs'
import { reading } from './calls/reading.mjs'
import { filters } from './calls/filters.mjs'
import { embedding } from './calls/embedding.mjs'
import { shaping } from './calls/shaping.mjs'
import { aggregates } from './calls/aggregates.mjs'
import { functions } from './calls/functions.mjs'
import { writing } from './calls/writing.mjs'
import { refusals } from './calls/refusals.mjs'
import { beyond } from './calls/beyond.mjs'

await run([reading, filters, embedding, shaping, aggregates, functions, writing, refusals, beyond])
