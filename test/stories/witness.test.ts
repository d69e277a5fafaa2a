// One registry as the witness of another, over HTTP: what it remembers, what it takes up and what not, and what a store that was put back meets.
import { copyFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { fetchRegistryKeys, newLogCopy, parseCheckpoint } from '../../src/client/index.js'
import { systemClock } from '../../src/lib/clock.js'
import { silentLog } from '../../src/lib/log.js'
import { systemRandom } from '../../src/lib/random.js'
import { restore } from '../../src/operations/restore/restore.js'
import type { Entry } from '../../src/protocol/log/entry.js'
import { parseConfig } from '../../src/server/config.js'
import { type Registry as Served, serve } from '../../src/server/main.js'
import { witnessOf } from '../../src/server/open-store.js'
import { type RunningServer, startServer } from '../../src/server/server.js'
import { openSqlite } from '../../src/storage/sqlite/open.js'
import { mirrorFile } from '../../src/trust-log/recovery/mirror-file.js'
import type { CosignedCheckpoint, WitnessSubmission } from '../../src/trust-log/witness/cosigned-logs.js'
import { type Actor, type Cast, newCast } from '../registry.js'
import { tempFolder } from '../storage/open-store.js'

let folder: Awaited<ReturnType<typeof tempFolder>>
let issuer: string
let witnessed: Served | undefined
let witness: Served | undefined
let witnessUrl: string
let flags: { readonly dev: boolean; readonly logLevel: string; readonly adminPort: number }
let cast: Cast
let acme: Actor
const file = (name: string) => join(folder.path, name)
const configOf = (more: object) => parseConfig({ ...flags, ...more }, undefined, {})
const own = () => configOf({ dataDirectory: file('a'), port: Number(new URL(issuer).port), witness: witnessUrl })
const start = async () => {
  witnessed = await serve(own())
  return witnessed
}
const stop = async () => {
  await witnessed?.close()
  witnessed = undefined
}
const startWitness = async (port = 0) => {
  witness = await serve(configOf({ dataDirectory: file('b'), port, witnessFor: [issuer] }))
  witnessUrl = witness.issuer
}
const backUp = () => copyFile(file('a/credence.db'), file('backup.db'))
const putBack = () => copyFile(file('backup.db'), file('a/credence.db'))

async function freeOrigin(): Promise<string> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return `http://127.0.0.1:${port}`
}

const url = () => `${witnessUrl}/witness?log=${new URL(issuer).host}`
const remembered = async (): Promise<CosignedCheckpoint | undefined> => (await (await fetch(url())).json()).remembered
const show = async (shown: object) => {
  const answer = await fetch(url(), { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(shown) })
  return answer.status
}
const headOf = async (): Promise<number> => {
  const { asOf } = await (await fetch(`${issuer}/log/entries?limit=0`)).json()
  return Number(asOf.split('.').at(-1))
}
const raised = () => expect.poll(async () => (await remembered())?.seq === (await headOf()), { timeout: 10_000 }).toBe(true)
const endSomething = async (): Promise<void> => {
  await cast.agent({ of: acme })
}
async function mirror(): Promise<void> {
  const kept = mirrorFile(file('mirror.jsonl'))
  await newLogCopy(kept.read()).catchUp({ issuer, keys: await fetchRegistryKeys(issuer, 'log') }, kept.append)
}
/** What the registry would show to a witness that remembers `known`. */
async function shownNow(known?: CosignedCheckpoint): Promise<WitnessSubmission> {
  const ask = async <T>(path: string): Promise<T> => (await (await fetch(issuer + path)).json()) as T
  const note = await (await fetch(`${issuer}/log/checkpoint`)).text()
  const size = Number(note.split('\n')[1])
  const { entries } = await ask<{ entries: Entry[] }>('/log/entries?limit=1000')
  const entry = entries[size - 1]
  if (entry === undefined) throw new Error('this is for a log of one epoch')
  const { hashes: inclusion } = await ask<{ hashes: string[] }>(`/log/inclusion?seq=${entry.seq}&size=${size}`)
  const consistency = known ? (await ask<{ hashes: string[] }>(`/log/consistency?from=${known.size}&to=${size}`)).hashes : []
  return { note, entry, inclusion, consistency }
}
/** The store that was put back, served by somebody who asks no witness. */
async function served(work: (server: RunningServer) => Promise<void>): Promise<void> {
  const storage = await openSqlite({ file: file('a/credence.db'), clock: systemClock })
  const parts = { storage, clock: systemClock, random: systemRandom, log: silentLog, issuer, dev: true, host: '127.0.0.1', adminPort: 0 }
  const server = await startServer({ ...parts, port: Number(new URL(issuer).port) })
  await work(server)
  await server.close()
  await storage.close()
}

beforeEach(async () => {
  folder = await tempFolder()
  flags = { dev: true, logLevel: 'silent', adminPort: 0 }
  issuer = await freeOrigin()
  await startWitness()
  const { firstCode = '' } = await start()
  cast = await newCast({ issuer, firstCode })
  acme = await cast.organisation('Acme')
  await raised()
})
afterEach(async () => {
  await stop()
  await witness?.close()
  await folder[Symbol.asyncDispose]()
})

test('the witness remembers the head as the log grows, with a checkpoint that anybody can check', async () => {
  const before = await remembered()
  await endSomething()
  await raised()
  const now = await remembered()
  expect(now?.size).toBeGreaterThan(before?.size ?? 0)
  const checkpoint = await parseCheckpoint(now?.note ?? '', { issuer, keys: await fetchRegistryKeys(issuer, 'log') })
  expect(checkpoint).toMatchObject({ size: now?.size, root: now?.root, epoch: now?.epoch })
  // It stops and starts, and both go on
  await stop()
  await start()
  await endSomething()
  await raised()
})

test('a store that was put back is not served, whoever starts it; the right one is', async () => {
  await stop()
  await backUp()
  await start()
  await endSomething()
  await raised()
  await stop()
  await copyFile(file('a/credence.db'), file('right.db'))
  await putBack()
  await expect(start()).rejects.toThrow(`is behind its witness ${witnessUrl}`)
  await expect(start()).rejects.toThrow('credence admin restore')
  await copyFile(file('right.db'), file('a/credence.db'))
  await start()
})

test('a witness that cannot be asked, or is none of this log, is no reason to serve', async () => {
  await stop()
  await witness?.close()
  await expect(start()).rejects.toThrow(/\/witness\?log=.* cannot be asked/)
  witness = await serve(configOf({ dataDirectory: file('b'), port: Number(new URL(witnessUrl).port) }))
  await expect(start()).rejects.toThrow('no witness of that log')
  await witness.close()
  // One that remembers nothing of it
  await rm(file('b'), { recursive: true })
  await startWitness()
  await expect(start()).rejects.toThrow('there is no witness of its head')
})

test('a registry that had a file as its witness moves to another registry', async () => {
  const before = witnessOf({ dataDirectory: file('a'), witness: undefined, issuer })
  const { epoch, seq, hash } = (await remembered()) ?? { epoch: '', seq: 0, hash: '' }
  await stop()
  await witness?.close()
  await rm(file('b'), { recursive: true })
  await startWitness()
  await before.write({ epoch: epoch as CosignedCheckpoint['epoch'], seq, hash })
  await start()
  await raised()
})

describe('what is shown', () => {
  test('is taken up only where it continues: not an earlier head, not another history', async () => {
    const early = await shownNow()
    const { seq } = (await remembered()) ?? { seq: -1 }
    expect(await show(early)).toBe(200)
    await stop()
    await backUp()
    await start()
    await endSomething()
    await raised()
    const known = await remembered()
    expect(await show(early)).toBe(409)
    await stop()
    await putBack()
    await served(async ({ trustLog }) => {
      // The registry's own keys sign it, and it grows past what the witness remembers.
      acme = { ...acme, ...cast.as(acme) }
      for (let i = 0; i < 4; i++) await endSomething()
      expect(await headOf()).toBeGreaterThan(known?.seq ?? seq)
      for (const shown of [await shownNow(), await shownNow(known)]) expect(await show(shown)).toBe(409)
      const other = witnessOf({ dataDirectory: file('nowhere'), witness: witnessUrl, issuer })
      const head = { epoch: trustLog.epoch, seq: await headOf(), hash: trustLog.leafHash(await headOf()) ?? '' }
      await expect(other.write(head, trustLog)).rejects.toThrow('does not continue')
    })
    expect(await remembered()).toEqual(known)
  })

  test('is signed by the log, whole, and about this log', async () => {
    const known = await remembered()
    const shown = await shownNow(known)
    const [origin, ...rest] = shown.note.split('\n')
    expect(await show({ ...shown, note: [origin, '999', ...rest.slice(1)].join('\n') })).toBe(403)
    expect(await show({ ...shown, note: shown.note.replace(origin ?? '', 'another.example') })).toBe(403)
    expect(await show({ ...shown, entry: { ...shown.entry, seq: shown.entry.seq + 1 } })).toBe(400)
    expect(await show({ ...shown, inclusion: shown.inclusion.slice(1) })).toBe(400)
    expect(await show({ ...shown, more: 1 })).toBe(400)
    expect(await show([])).toBe(400)
    for (const path of ['/witness', '/witness?log=a&log=b']) expect((await fetch(witnessUrl + path)).status).toBe(400)
    expect((await fetch(`${witnessUrl}/witness?log=another.example`)).status).toBe(403)
    // Nobody asked this one
    expect((await fetch(`${issuer}/witness?log=${new URL(issuer).host}`)).status).toBe(403)
    expect(await remembered()).toEqual(known)
  })

  test('by twenty at once is remembered once, and nobody takes it back', async () => {
    await stop()
    await served(async () => {
      const known = await remembered()
      const first = await shownNow(known)
      await endSomething()
      const second = await shownNow(known)
      const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => show(i % 2 === 0 ? first : second)))
      expect(answers.every((status) => status === 200 || status === 409)).toBe(true)
      expect(await show(second)).not.toBe(403)
      expect((await remembered())?.seq).toBe(await headOf())
    })
  })
})

describe('after a restore', () => {
  beforeEach(async () => {
    await mirror()
    await stop()
    await backUp()
    await start()
    await endSomething()
    await raised()
  })
  const again = async (withMirror: boolean) => {
    const before = await remembered()
    const past = await shownNow()
    if (withMirror) await mirror()
    await stop()
    await putBack()
    expect(await restore(own(), file('mirror.jsonl'), { mayHold: !withMirror })).toMatchObject({ isComplete: withMirror })
    await start()
    await raised()
    const now = await remembered()
    expect(now?.epoch).not.toBe(before?.epoch)
    // The epoch that is over does not come back, neither to the witness nor to be served
    expect(await show(past)).toBe(403)
    await stop()
    await putBack()
    await expect(start()).rejects.toThrow('is behind its witness')
    // Not even where the keys of that time are shown again
    await served(async () => {
      await expect.poll(() => show(past), { timeout: 10_000 }).toBe(409)
      await expect.poll(async () => show(await shownNow()), { timeout: 10_000 }).toBe(409)
    })
    expect(await remembered()).toEqual(now)
  }
  test('with all that the witness remembers, it goes on in the new epoch', () => again(true), 60_000)
  test('without, too: what was put in its place counts until the witness remembers that', () => again(false), 60_000)
})
