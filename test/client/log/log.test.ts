import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { sha256 } from '#crypto'
import { fetchRegistryKeys, newLogCopy, readCheckpoint, verifyWholeLog } from '../../../src/client/index.js'
import { signCheckpoint } from '../../../src/credentials/checkpoint.js'
import { canonical } from '../../../src/credentials/jose/canonical-json.js'
import { newEs256Signer } from '../../../src/credentials/jose/sign.js'
import { base64url } from '../../../src/lib/bytes.js'
import { systemRandom } from '../../../src/lib/random.js'
import { Handle, newHandle } from '../../../src/protocol/handles.js'
import { type Entry, MAX_ENDINGS } from '../../../src/protocol/log/entry.js'
import { appendToFrontier, EMPTY_FRONTIER, hashLeaf, rootOfFrontier, treeDigest } from '../../../src/protocol/log/merkle.js'
import { type Registry, startRegistry } from '../../registry.js'
import { reasonOf } from '../../stories/actors.js'

let registry: Registry
let entries: Entry[]
let keys: Awaited<ReturnType<typeof fetchRegistryKeys>>
beforeAll(async () => {
  registry = await startRegistry()
  keys = await fetchRegistryKeys(registry.issuer, 'log')
  const [server] = registry.servers
  const end = (count: number) =>
    server?.trustLog.end({
      type: 'token.revoked',
      ends: Array.from({ length: count }, () => ({ handle: newHandle(systemRandom, 'tok'), horizon: registry.clock.now() + 300 })),
      operations: [],
    })
  for (const count of [1, MAX_ENDINGS, MAX_ENDINGS, 2]) await end(count)
  await Promise.all(Array.from({ length: 50 }, () => end(1)))
  entries = []
  await newLogCopy([]).catchUp(source(), (added) => entries.push(...added))
})
afterAll(() => registry[Symbol.asyncDispose]())

/** The registry, with its pages of entries changed by `change`. */
function source(change: (page: string) => string = (page) => page, requested: string[] = []) {
  const fetchChanged = async (input: unknown, init?: RequestInit): Promise<Response> => {
    const url = String(input)
    requested.push(url)
    const response = await fetch(url, init)
    return url.includes('/log/entries') ? new Response(change(await response.text()), response) : response
  }
  return { issuer: registry.issuer, keys, fetch: fetchChanged }
}

const inOneLine = (page: string): string => {
  const { entries: list, ...rest } = JSON.parse(page) as { entries: Entry[] }
  return JSON.stringify({ ...rest, entries: list.map(({ seq, id, ...others }) => ({ id, ...others, seq })) })
}

test('the entries are read in pages of about a megabyte, and are those of the log', async () => {
  const requested: string[] = []
  expect((await verifyWholeLog(source(undefined, requested))).entries).toBe(entries.length)
  const pages = requested.filter((url) => url.includes('/log/entries'))
  expect(pages.length).toBeGreaterThan(1)
  expect(pages.length).toBeLessThan(5)
  expect(entries.map(({ seq }) => seq)).toEqual(entries.map((_, i) => i))
  expect(entries.slice(0, 5)).toEqual(await registry.servers[0]?.trustLog.entries(0, 5))
})

test('a page of an older release, with all entries on one line, is verified too', async () => {
  expect((await verifyWholeLog(source(inOneLine))).entries).toBe(entries.length)
})

test('a copy that is up to date continues with new entries', async () => {
  const copy = newLogCopy(entries.slice(0, 3))
  const added: Entry[] = []
  expect(await copy.catchUp(source(), (list) => added.push(...list))).toBe(entries.length - 3)
  expect(added).toEqual(entries.slice(3))
  expect([copy.seq, copy.checkpoint?.size]).toEqual([entries.length - 1, (await readCheckpoint(source())).size])
})

describe('a registry that shows another history is refused:', () => {
  const lines = (change: (line: string) => string) => (page: string) => page.split('\n').map(change).join('\n')
  /** Changes the entry number 5, which ends one handle. */
  const ofEntry = (change: (line: string) => string) =>
    lines((line) => (line.includes('"seq":5,') ? change(line.replace(/,$/, '')) + (line.endsWith(',') ? ',' : '') : line))
  const reordered = (line: string) => JSON.stringify(Object.fromEntries(Object.entries(JSON.parse(line)).reverse()))

  test.each<[string, string, (page: string) => string]>([
    ['another handle', 'checkpoint_invalid', lines((line) => line.replace(/"handle":"tok:./, '"handle":"tok:~').replace('~', '0'))],
    ['another time', 'checkpoint_invalid', ofEntry((line) => line.replace(/"time":\d/, '"time":3'))],
    ['another member', 'checkpoint_invalid', ofEntry((line) => canonical({ ...JSON.parse(line), weather: 'fine' }))],
    ['an entry that is missing', 'checkpoint_invalid', lines((line) => line.replace('"seq":5,', '"seq":6,'))],
    ['an entry that is not valid', 'unavailable', ofEntry((line) => line.replace('"type":"', '"type":"-'))],
    ['an entry that is no JSON', 'unavailable', ofEntry((line) => line.slice(1))],
    ['members in another order', 'checkpoint_invalid', ofEntry(reordered)],
    ['white space in an entry', 'checkpoint_invalid', ofEntry((line) => line.replace('"seq":', '"seq": '))],
    ['a member twice', 'checkpoint_invalid', ofEntry((line) => line.replace('"seq":5', '"seq":4,"seq":5'))],
    ['a member with a lone surrogate', 'checkpoint_invalid', ofEntry((line) => line.replace('"type"', '"surrogate":"\\ud800","type"'))],
    [
      'members nested too deeply',
      'checkpoint_invalid',
      ofEntry((line) => line.replace('"type"', `"nested":${'['.repeat(20_000)}${']'.repeat(20_000)},"type"`)),
    ],
    ['no entries', 'checkpoint_invalid', (page) => page.replace(/"entries":\[.*\n\]/s, '"entries":[]')],
  ])('%s', async (_, reason, change) => {
    expect(await reasonOf(verifyWholeLog(source(change)))).toBe(reason)
  })
})

describe('a log whose own tree has a text that is not the RFC 8785 form of its entry is refused:', () => {
  const id = `ent_${'A'.repeat(22)}`
  const start = canonical({ ends: [], id, seq: 0, time: 1, type: 'epoch.started' })
  const ofType = (type: string) => `{"ends":[],"id":"ent_${'B'.repeat(22)}","seq":1,"time":1,"type":"${type}"}`

  test.each([
    ['none (such a log is accepted)', ofType('task.ended'), undefined],
    ['a member twice', ofType('token.revoked","type":"task.ended'), 'checkpoint_invalid'],
    ['white space', ofType('task.ended').replace(':', ': '), 'checkpoint_invalid'],
    ['members in another order', `{"type":"task.ended",${ofType('x').slice(1).replace(',"type":"x"', '')}`, 'checkpoint_invalid'],
  ])('%s', async (_, text, reason) => {
    const signer = await newEs256Signer()
    const frontier = [start, text].reduce((grown, leaf) => appendToFrontier(sha256, grown, hashLeaf(sha256, leaf)), EMPTY_FRONTIER)
    const root = base64url(rootOfFrontier(sha256, frontier))
    const note = await signCheckpoint({ log: 'registry.test', size: 2, root, epoch: Handle.parse(`epo:${'A'.repeat(22)}`) }, signer)
    const respond = async (input: unknown) =>
      new Response(String(input).endsWith('/log/checkpoint') ? note : `{"entries":[\n${start},\n${text}\n],"asOf":"x"}`)
    const verified = verifyWholeLog({
      issuer: 'https://registry.test',
      keys: [{ jwk: signer.publicJwk, alg: 'ES256' }],
      fetch: respond,
    })
    expect(await reasonOf(verified)).toBe(reason ?? 'done')
  })
})

describe('a log of two epochs', () => {
  const textOf = (seq: number, letter: string, type: string, more: object = {}) =>
    canonical({ ends: [], id: `ent_${letter.repeat(22)}`, seq, time: 1, type, ...more })
  const treeOf = (texts: readonly string[]) =>
    texts.reduce((grown, text) => appendToFrontier(sha256, grown, hashLeaf(sha256, text)), EMPTY_FRONTIER)
  const epochOf = (letter: string) => Handle.parse(`epo:${letter.repeat(22)}`)
  const first = [textOf(0, 'A', 'epoch.started'), textOf(1, 'B', 'agent.revoked')]
  /** The entries of the second epoch, which commit to `before`. */
  const secondAfter = (before: readonly string[], letter = 'C') => [
    textOf(2, letter, 'epoch.started', { digest: treeDigest(sha256, epochOf('A'), treeOf(before)) }),
    textOf(3, 'D', 'task.ended'),
  ]
  /** Verifies a log that sends these entries, and whose checkpoint signs the epoch of the last two. */
  const verified = async (texts: readonly string[], letter = 'C') => {
    const signer = await newEs256Signer()
    const root = base64url(rootOfFrontier(sha256, treeOf(texts.slice(-2))))
    const note = await signCheckpoint({ log: 'registry.test', size: 2, root, epoch: epochOf(letter) }, signer)
    const fetch = async (input: unknown) =>
      new Response(String(input).endsWith('/log/checkpoint') ? note : `{"entries":[\n${texts.join(',\n')}\n],"asOf":"x"}`)
    return verifyWholeLog({ issuer: 'https://registry.test', keys: [{ jwk: signer.publicJwk, alg: 'ES256' }], fetch })
  }

  test('is accepted', async () => {
    expect(await verified([...first, ...secondAfter(first)])).toMatchObject({ checkpoint: { size: 2 }, entries: 4 })
  })

  test.each([
    ['an entry of the first was changed', [first[0] ?? '', textOf(1, 'B', 'task.ended')]],
    ['the start of the first was changed', [textOf(0, 'E', 'epoch.started'), first[1] ?? '']],
  ])('is refused if %s', async (_, changed) => {
    await expect(verified([...changed, ...secondAfter(first)])).rejects.toThrow('log entry 2 commits to other entries than those before it')
  })

  test('is refused if the second does not commit to the first', async () => {
    const without = [textOf(2, 'C', 'epoch.started'), textOf(3, 'D', 'task.ended')]
    await expect(verified([...first, ...without])).rejects.toThrow('log entry 2 commits to other entries than those before it')
  })

  test('is refused if an epoch starts again under its own id', async () => {
    const again = verified([...first, ...secondAfter(first, 'A')], 'A')
    await expect(again).rejects.toThrow('log entry 2 starts the epoch that is under way')
  })

  test('is refused if entries precede the first epoch', async () => {
    const before = [textOf(0, 'A', 'task.ended'), textOf(1, 'B', 'agent.revoked')]
    await expect(verified([...before, ...secondAfter(before)])).rejects.toThrow('log entry 0 starts no epoch')
  })
})
