import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { describeShared } from '../shared-material.js'

/** What is shown elsewhere, where the rule itself is tested. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  'WS-05': 'test/revocations/feed.test.ts: a reader that stops reading is paused, and misses nothing',
  'NOD-03': 'test/http/trpc/procedures.test.ts: batch, body and depth limits',
  'NOD-11': 'test/attacks/canaries.test.ts: a store that fails is answered as a bug, and the process serves on',
  'MDB-05': 'test/storage/mongo/connect.test.ts: old servers, releases with published vulnerabilities, and compression by zlib',
  'MDB-09': 'test/storage/mongo/unreachable.test.ts: a server that is paused under two instances',
  'NOD-12': 'every parser bounds its input first; test/credentials and test/lib run them over arbitrary bytes',
}

describeShared('.', 'the attacks of areas core and mongodb', (material) => {
  test('are all made, by their ids', () => {
    const rows = material
      .text('attacks.tsv')
      .split('\n')
      .map((line) => line.split('\t'))
    const ids = rows.filter(([, area]) => area === 'core' || area === 'mongodb').map(([id]) => id ?? '')
    const source = readdirSync(import.meta.dirname)
      .map((name) => readFileSync(join(import.meta.dirname, name), 'utf8'))
      .join('\n')
    const isMade = (id: string) =>
      new RegExp(`\\['${id}', |attack\\(\\s*'${id}\\b|refused\\(\\s*'${id}'|(test|describe)\\(\\s*['\`]${id}\\b`).test(source)
    expect(ids.filter((id) => !isMade(id) && !(id in ELSEWHERE))).toEqual([])
    expect(ids.length).toBeGreaterThan(100)
  })
})
