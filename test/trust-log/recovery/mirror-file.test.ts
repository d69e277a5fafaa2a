import { appendFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { systemRandom } from '../../../src/lib/random.js'
import { newHandle } from '../../../src/protocol/handles.js'
import { newId } from '../../../src/protocol/ids.js'
import type { Entry } from '../../../src/protocol/log/entry.js'
import { mirrorFile } from '../../../src/trust-log/recovery/mirror-file.js'
import { tempFolder } from '../../storage/open-store.js'

const anEntry = (seq: number, endingCount = 1): Entry => ({
  id: newId(systemRandom, 'ent'),
  type: 'token.revoked',
  ends: Array.from({ length: endingCount }, () => ({ handle: newHandle(systemRandom, 'tok') })),
  seq,
  time: 1,
})

test.each([
  ['a few bytes', (entry: Entry) => JSON.stringify(entry).slice(0, 20)],
  ['all but the line end', (entry: Entry) => JSON.stringify(entry)],
  ['more bytes than one read returns', () => JSON.stringify(anEntry(2, 3000)).slice(0, -9)],
])('a last line that a crash cut (%s) is overwritten by the next append', async (_, cut) => {
  await using folder = await tempFolder()
  const file = join(folder.path, 'mirror.jsonl')
  const entries = [anEntry(0), anEntry(1), anEntry(2), anEntry(3, 10_000)] as const
  mirrorFile(file).append(entries.slice(0, 2))
  appendFileSync(file, cut(entries[2]))
  expect(mirrorFile(file).read()).toEqual(entries.slice(0, 2))
  mirrorFile(file).append(entries.slice(2))
  expect(mirrorFile(file).read()).toEqual(entries)
})

test('a file with only a cut line reads as empty, and an append of no entries changes nothing', async () => {
  await using folder = await tempFolder()
  const file = join(folder.path, 'mirror.jsonl')
  appendFileSync(file, '{"id":')
  expect(mirrorFile(file).read()).toEqual([])
  const entry = anEntry(0)
  mirrorFile(file).append([entry])
  expect(mirrorFile(file).read()).toEqual([entry])
  const text = readFileSync(file, 'utf8')
  mirrorFile(file).append([])
  expect(readFileSync(file, 'utf8')).toBe(text)
})

test.each([
  '{"id":\n',
  'not JSON\n',
  '{}\n',
  `${JSON.stringify(anEntry(7))}\n`,
])('the line %j is refused, and the error names its number', async (line) => {
  await using folder = await tempFolder()
  const file = join(folder.path, 'mirror.jsonl')
  appendFileSync(file, line)
  expect(() => mirrorFile(file).read()).toThrow(/line 1: not entry 0 of a log/)
})
