import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { describeShared } from '../shared-material.js'

/** Attacks whose rule is tested in another file. */
const TESTED_ELSEWHERE: Readonly<Record<string, string>> = {
  'WS-05': 'test/revocations/feed.test.ts: a subscription of a reader that stops reading is paused and served from its position later',
  'NOD-03': 'test/http/trpc/procedures.test.ts: request limits',
  'NOD-11': 'test/attacks/canaries.test.ts: an error of the store gets server_error without detail, and the process continues to serve',
  'MDB-05': 'test/storage/mongo/connect.test.ts: old servers, releases with published vulnerabilities and zlib compression are refused',
  'MDB-09': 'test/storage/mongo/unreachable.test.ts: a server that is suspended while two instances use it',
  'OAU-23': 'test/attacks/ssrf.test.ts and test/conformance/client-id-metadata-document.test.ts: redirects, and a client_id of another URL',
  'NOD-12': 'every parser bounds its input first; test/credentials and test/lib run the parsers over arbitrary bytes',
}

/** Attacks of the area oauth on what does not exist yet. Remove a row when its test is written. */
const NOT_SERVED: Readonly<Record<string, string>> = Object.fromEntries(['POP-13', 'POP-14'].map((id) => [id, 'client certificates']))

describeShared('.', 'the attacks of the areas core, oauth, mongodb and console', (material) => {
  test('every attack of the areas core, oauth, mongodb and console has a test with its id, unless what it attacks is not served', () => {
    const rows = material
      .text('attacks.tsv')
      .split('\n')
      .map((line) => line.split('\t'))
    const ids = rows.filter(([, area]) => ['core', 'oauth', 'mongodb', 'console'].includes(area ?? '')).map(([id]) => id ?? '')
    const source = readdirSync(import.meta.dirname)
      .map((name) => readFileSync(join(import.meta.dirname, name), 'utf8'))
      .join('\n')
    const isTested = (id: string) =>
      new RegExp(`\\['${id}', |attack\\(\\s*'${id}\\b|refused\\(\\s*'${id}'|(test|describe)\\(\\s*['\`]${id}\\b`).test(source)
    expect(ids.filter((id) => !isTested(id) && !(id in TESTED_ELSEWHERE) && !(id in NOT_SERVED))).toEqual([])
    expect(ids.length).toBeGreaterThan(100)
  })
})
