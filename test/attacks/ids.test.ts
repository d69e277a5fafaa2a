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
  'NOD-12': 'every parser bounds its input first; test/credentials and test/lib run the parsers over arbitrary bytes',
}

describeShared('.', 'the attacks of the areas core and mongodb', (material) => {
  test('every attack of the areas core and mongodb has a test with its id', () => {
    const rows = material
      .text('attacks.tsv')
      .split('\n')
      .map((line) => line.split('\t'))
    const ids = rows.filter(([, area]) => area === 'core' || area === 'mongodb').map(([id]) => id ?? '')
    const source = readdirSync(import.meta.dirname)
      .map((name) => readFileSync(join(import.meta.dirname, name), 'utf8'))
      .join('\n')
    const isTested = (id: string) =>
      new RegExp(`\\['${id}', |attack\\(\\s*'${id}\\b|refused\\(\\s*'${id}'|(test|describe)\\(\\s*['\`]${id}\\b`).test(source)
    expect(ids.filter((id) => !isTested(id) && !(id in TESTED_ELSEWHERE))).toEqual([])
    expect(ids.length).toBeGreaterThan(100)
  })
})
