import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { TASKS } from '../../../src/delegation/tasks/store.js'
import { systemClock } from '../../../src/lib/clock.js'
import { silentLog } from '../../../src/lib/log.js'
import { systemRandom } from '../../../src/lib/random.js'
import { openCollections } from '../../../src/operations/collections.js'
import { loadFromFile } from '../../../src/operations/dump/command.js'
import { digestsIn } from '../../../src/operations/dump/load.js'
import { lineValue, type PartLine, PartSums, partOf } from '../../../src/operations/dump/parts.js'
import { newId } from '../../../src/protocol/ids.js'
import { openStore } from '../../../src/server/open-store.js'
import type { Doc } from '../../../src/storage/storage.js'
import { FILE, killTests, moveTests, rewrite } from './move.js'
import { newWorld, type World } from './world.js'

describe('from a SQLite file to another', () => {
  moveTests(FILE, FILE)
  killTests(FILE, ['agents', 'finish'])
})

describe('a dump that is not as it was written', () => {
  const source = { data: 'source' }
  let world: World
  let targets = 0
  beforeAll(async () => {
    world = await newWorld(source)
    await world.callOcr()
    await world.stop()
    await world.dump(source, 'dump.jsonl')
  })
  afterAll(() => world[Symbol.asyncDispose]())

  const loadOf = async (change: (lines: string[]) => readonly string[]) => {
    rewrite(world.file('dump.jsonl'), world.file('changed.jsonl'), change)
    const target = { data: `target-${targets++}` }
    const outcome = await world.load('changed.jsonl', target).then(
      ({ outcome }) => outcome,
      (error: Error) => error.message,
    )
    // A partial copy would hold private keys, too
    if (outcome !== 'loaded' && existsSync(world.file(target.data))) expect(readdirSync(world.file(target.data))).toEqual([])
    return outcome
  }
  const indexOf = (lines: readonly string[], text: string) => lines.findIndex((line) => line.includes(text))
  const swap = (lines: string[], a: number, b: number) => lines.map((line, i) => lines[i === a ? b : i === b ? a : i] ?? line)

  test('is loaded if nothing was changed', async () => {
    expect(await loadOf((lines) => lines)).toBe('loaded')
  })

  test.each<[string, (lines: string[]) => readonly string[], RegExp]>([
    ['has no header', (lines) => lines.slice(1), /its first line is no header/],
    [
      'is the export of an organisation',
      (lines) => [JSON.stringify({ export: 'credence', version: 1, orgId: 'x' }), ...lines],
      /no header/,
    ],
    ['has a later version', ([header = '', ...lines]) => [header.replace('"version":1', '"version":2'), ...lines], /no header/],
    ['is empty', () => [], /no header/],
    ['lacks its last line', (lines) => lines.slice(0, -1), /cut off after line/],
    ['was cut off in a line', (lines) => [...lines.slice(0, -3), (lines.at(-3) ?? '').slice(0, 40)], /line \d+ of the dump is damaged/],
    [
      'lacks a document',
      (lines) => lines.filter((_, i) => i !== indexOf(lines, '"collection":"agents"')),
      /does not match the lines of agents/,
    ],
    [
      'has a document twice',
      (lines) => lines.flatMap((line, i) => (i === indexOf(lines, '"collection":"members"') ? [line, line] : [line])),
      /the same key/,
    ],
    [
      'has another name of an agent',
      (lines) => lines.map((line) => line.replace('"name":"planner"', '"name":"planned"')),
      /does not match the lines of agents/,
    ],
    [
      'has a document that does not match its schema',
      (lines) => lines.map((line) => line.replace('"name":"planner"', '"name":1')),
      /does not match its schema/,
    ],
    [
      'has an unknown collection',
      (lines) => lines.map((line) => line.replace('"collection":"agents"', '"collection":"robots"')),
      /does not know/,
    ],
    [
      'has its parts in another order',
      ([header = '', block = '', ...lines]) => [header, ...lines.slice(0, -1), block, lines.at(-1) ?? ''],
      /wrong place|does not follow/,
    ],
    ['has blocks in another order', (lines) => swap(lines, 2, 3), /does not follow block/],
    ['lacks a block', (lines) => lines.filter((_, i) => i !== 3), /does not follow block/],
    [
      'has another entry in a block',
      (lines) => lines.map((line, i) => (i === 3 ? line.replace(/"time":\d/, '"time":9') : line)),
      /the Merkle tree of block/,
    ],
    [
      'names another root',
      (lines) => [...lines.slice(0, -1), (lines.at(-1) ?? '').replace(/"root":"(.)/, (_, first) => `"root":"${first === 'A' ? 'B' : 'A'}`)],
      /the Merkle root in its last line does not match/,
    ],
    [
      'names another position',
      ([header = '', ...lines]) => [header.replace(/\.(\d+)"/, '.9$1"'), ...lines],
      /the position in its header does not match/,
    ],
    ['goes on after its last line', (lines) => [...lines, lines.at(-1) ?? ''], /it follows the last line/],
    ['has a line that is no JSON', (lines) => lines.map((line, i) => (i === 4 ? `${line}}` : line)), /line 5 of the dump is damaged/],
    [
      'is sealed in its header only',
      ([header = '', ...lines]) => [header.replace('"isSealed":false', '"isSealed":true'), ...lines],
      /cannot resume|witness/,
    ],
  ])('is refused if it %s, and nothing is served', async (_, change, message) => {
    expect(await loadOf(change)).toMatch(message)
  })

  /** Adds a document to a collection, and corrects the counts and digests in the last line. */
  const adding = (collection: string, docOf: (first: Doc) => object) => (lines: string[]) => {
    const at = indexOf(lines, `"collection":"${collection}"`)
    const { doc } = JSON.parse(lines[at] ?? '') as { readonly doc: Doc }
    const changed = lines.toSpliced(at, 0, JSON.stringify({ collection, doc: { ...doc, ...docOf(doc) } }))
    const sums = new PartSums()
    for (const text of changed.slice(1, -1)) {
      const line = JSON.parse(text) as PartLine
      sums.add(partOf(line), JSON.stringify(lineValue(line)))
    }
    return [...changed.slice(0, -1), JSON.stringify({ ...JSON.parse(changed.at(-1) ?? ''), ...sums.digests() })]
  }
  const FORGED = '0123456789abcdefghijkl'
  test.each<[string, string, (first: Doc) => object, RegExp]>([
    [
      'a registered key that the log lacks',
      'registered-keys',
      () => ({ id: `key_${FORGED}` }),
      /changed: registered-keys\/key_\w+: it differs from what entry/,
    ],
    [
      'a slot that gives a key to another owner',
      'key-slots',
      () => ({ id: `mem_${FORGED} 1`, owner: `mem_${FORGED}` }),
      /changed: key-slots\/mem_\w+ 1: its owner/,
    ],
  ])('is refused with %s, although its digests are right', async (_, collection, docOf, message) => {
    expect(await loadOf(adding(collection, docOf))).toMatch(message)
  })

  test('is refused if it is not UTF-8 or a line is too long', async () => {
    writeFileSync(world.file('bytes.jsonl'), Buffer.from([0x7b, 0xff, 0x0a]), { mode: 0o600 })
    await expect(world.load('bytes.jsonl', { data: 'bytes' })).rejects.toThrow('line 1 is not UTF-8')
    const endless = (async function* () {
      for (;;) yield Buffer.alloc(1_048_576, 'x')
    })()
    await expect(loadFromFile({ config: world.configOf({ data: 'endless' }), from: endless, log: silentLog })).rejects.toThrow(
      'longer than 67108864 bytes',
    )
  })

  test('an existing store is not changed by a load', async () => {
    await expect(world.load('dump.jsonl', source)).rejects.toThrow('the store is not empty')
    await world.start(source)
    expect(await world.searches()).toHaveLength(3)
    await world.stop()
  })

  test('an existing file is not overwritten by a dump, and a missing store is not created', async () => {
    await expect(world.dump(source, 'dump.jsonl')).rejects.toThrow('already exists')
    await expect(world.dump({ data: 'missing' }, 'new.jsonl')).rejects.toThrow('does not exist')
    expect(existsSync(world.file('missing'))).toBe(false)
  })

  test('is refused if it is sealed and the witness of the registry is not named', async () => {
    await world.dump(source, 'sealed.jsonl', { seals: true })
    const config = { ...world.configOf({ data: 'other' }), witness: world.file('other.json') }
    const loading = loadFromFile({ config, from: world.file('sealed.jsonl'), log: silentLog })
    await expect(loading).rejects.toThrow(/the witness file .*other.json does not exist: name the witness of the registry/)
    expect(await loadFromFile({ config: { ...config, witness: false }, from: world.file('sealed.jsonl'), log: silentLog })).toMatchObject({
      outcome: 'moved',
    })
  })
})

test('a loaded store holds what the dumped one held, also texts that imitate lines or operators, and counters', async () => {
  const HOSTILE = ['\u0000\u001b[31m', '\u2028\u2029\r\n{"end":true}', '\ud800', '😀\uffff', '$set', '__proto__', '"},{"x":"']
  await using world = await newWorld({ data: 'source' })
  await world.planner.tasks.create({ description: 'read' })
  await world.stop()
  const open = async (data: string) => {
    const storage = await openStore(world.configOf({ data }), silentLog)
    openCollections(storage)
    return storage
  }
  const source = await open('source')
  const [task] = (await source.collection(TASKS).find('owner', { where: { owner: world.planner.agentId }, limit: 1 })).items
  if (task === undefined) throw new Error('there is a task')
  for (const description of HOSTILE) await source.collection(TASKS).insert({ ...task, id: newId(systemRandom, 'tsk'), description })
  await source.count('a counter \ud800', 3, 10, 9_999_999_999)
  await source.count('expired', 3, 10, 1)
  // Proofs that expire meanwhile are not loaded
  const later = systemClock.now() + 600
  const before = await digestsIn(source, later)
  await source.close()
  await world.dump({ data: 'source' }, 'dump.jsonl')
  await world.load('dump.jsonl', { data: 'target' })
  const target = await open('target')
  expect(await digestsIn(target, later)).toEqual(before)
  expect(await target.count('a counter \ud800', 0, 10, 0)).toBe(3)
  await target.close()
})
