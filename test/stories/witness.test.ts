// One registry is the witness of another, over HTTP. The tests roll back stores, fork histories and run restores.
import { copyFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { fetchRegistryKeys, newLogCopy, parseCheckpoint } from '../../src/client/index.js'
import { systemClock } from '../../src/lib/clock.js'
import { silentLog } from '../../src/lib/log.js'
import { systemRandom } from '../../src/lib/random.js'
import { restoreStore } from '../../src/operations/restore/restore.js'
import type { Entry } from '../../src/protocol/log/entry.js'
import { parseConfig } from '../../src/server/config.js'
import { type Registry as Served, serve } from '../../src/server/main.js'
import { openWitness } from '../../src/server/open-store.js'
import { type RunningServer, startServer } from '../../src/server/server.js'
import { openSqlite } from '../../src/storage/sqlite/open.js'
import { mirrorFile } from '../../src/trust-log/recovery/mirror-file.js'
import type { CosignedCheckpoint, WitnessSubmission } from '../../src/trust-log/witness/cosigned-logs.js'
import { freePort } from '../free-port.mjs'
import { type Actor, type Cast, newCast } from '../registry.js'
import { tempFolder } from '../storage/open-store.js'

let folder: Awaited<ReturnType<typeof tempFolder>>
let issuer: string
let registry: Served | undefined
let witness: Served | undefined
let witnessUrl: string
let flags: { readonly dev: boolean; readonly logLevel: string; readonly adminPort: number }
let cast: Cast
let acme: Actor
const file = (name: string) => join(folder.path, name)
const configOf = (more: object) => parseConfig({ ...flags, ...more }, undefined, {})
const registryConfig = () => configOf({ dataDirectory: file('a'), port: Number(new URL(issuer).port), witness: witnessUrl })
const start = async () => {
  registry = await serve(registryConfig())
  return registry
}
const stop = async () => {
  await registry?.close()
  registry = undefined
}
const startWitness = async (port: number) => {
  witness = await serve(configOf({ dataDirectory: file('b'), port, witnessFor: [issuer] }))
  witnessUrl = witness.issuer
}
const backUp = () => copyFile(file('a/credence.db'), file('backup.db'))
const restoreBackup = () => copyFile(file('backup.db'), file('a/credence.db'))

const endpoint = () => `${witnessUrl}/witness?log=${new URL(issuer).host}`
const storedCheckpoint = async (): Promise<CosignedCheckpoint | undefined> => (await (await fetch(endpoint())).json()).checkpoint
/** Submits a checkpoint to the witness, and returns the status. */
const submit = async (submission: object) => {
  const headers = { 'content-type': 'application/json' }
  const { status } = await fetch(endpoint(), { method: 'POST', headers, body: JSON.stringify(submission) })
  return status
}
const headOf = async (): Promise<number> => {
  const { asOf } = await (await fetch(`${issuer}/log/entries?limit=0`)).json()
  return Number(asOf.split('.').at(-1))
}
const witnessIsUpToDate = () => expect.poll(async () => (await storedCheckpoint())?.seq === (await headOf())).toBe(true)
const growLog = async (): Promise<void> => {
  await cast.agent({ registeredBy: acme })
}
async function mirror(): Promise<void> {
  const mirrored = mirrorFile(file('mirror.jsonl'))
  await newLogCopy(mirrored.read()).catchUp({ issuer, keys: await fetchRegistryKeys(issuer, 'log') }, mirrored.append)
}
/** The submission with which the registry would extend the checkpoint `stored` of a witness. */
async function newSubmission(stored?: CosignedCheckpoint): Promise<WitnessSubmission> {
  const get = async <T>(path: string): Promise<T> => (await (await fetch(issuer + path)).json()) as T
  const note = await (await fetch(`${issuer}/log/checkpoint`)).text()
  const size = Number(note.split('\n')[1])
  const { entries } = await get<{ entries: Entry[] }>('/log/entries?limit=1000')
  const entry = entries[size - 1]
  if (entry === undefined) throw new Error('the log must have one epoch only')
  const { hashes: inclusion } = await get<{ hashes: string[] }>(`/log/inclusion?seq=${entry.seq}&size=${size}`)
  const consistency = stored ? (await get<{ hashes: string[] }>(`/log/consistency?from=${stored.size}&to=${size}`)).hashes : []
  return { note, entry, inclusion, consistency }
}
/** Serves the store without a witness, as an attacker would do with a rolled-back store. */
async function serveWithoutWitness(work: (server: RunningServer) => Promise<void>): Promise<void> {
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
  issuer = `http://localhost:${await freePort()}`
  await startWitness(await freePort())
  const { firstCode = '' } = await start()
  cast = await newCast({ issuer, firstCode })
  acme = await cast.organisation('Acme')
  await witnessIsUpToDate()
})
afterEach(async () => {
  await stop()
  await witness?.close()
  await folder[Symbol.asyncDispose]()
})

test('the witness has the newest checkpoint as the log grows, and anyone can verify it', async () => {
  const before = await storedCheckpoint()
  await growLog()
  await witnessIsUpToDate()
  const now = await storedCheckpoint()
  expect(now?.size).toBeGreaterThan(before?.size ?? 0)
  const checkpoint = await parseCheckpoint(now?.note ?? '', { issuer, keys: await fetchRegistryKeys(issuer, 'log') })
  expect(checkpoint).toMatchObject({ size: now?.size, root: now?.root, epoch: now?.epoch })
  // After a restart, the registry continues to update the witness
  await stop()
  await start()
  await growLog()
  await witnessIsUpToDate()
})

test('a rolled-back store is not served, and the current store is', async () => {
  await stop()
  await backUp()
  await start()
  await growLog()
  await witnessIsUpToDate()
  await stop()
  await copyFile(file('a/credence.db'), file('current.db'))
  await restoreBackup()
  await expect(start()).rejects.toThrow(`is behind its witness ${witnessUrl}`)
  await expect(start()).rejects.toThrow('credence admin restore')
  await copyFile(file('current.db'), file('a/credence.db'))
  await start()
})

test('a registry does not start if its witness is unreachable, is not a witness of its log, or has lost its checkpoint', async () => {
  await stop()
  await witness?.close()
  await expect(start()).rejects.toThrow(/cannot fetch .*\/witness\?log=/)
  witness = await serve(configOf({ dataDirectory: file('b'), port: Number(new URL(witnessUrl).port) }))
  await expect(start()).rejects.toThrow('not a witness of that log')
  await witness.close()
  // A witness whose store was deleted
  await rm(file('b'), { recursive: true })
  await startWitness(await freePort())
  await expect(start()).rejects.toThrow(/the store has a log, but the witness https?:.* has no checkpoint of /)
})

test('a registry can move from a witness in a file to another registry as its witness', async () => {
  const fileWitness = openWitness({ dataDirectory: file('a'), witness: undefined, issuer })
  const { epoch, seq, hash } = (await storedCheckpoint()) ?? { epoch: '', seq: 0, hash: '' }
  await stop()
  await witness?.close()
  await rm(file('b'), { recursive: true })
  await startWitness(await freePort())
  await fileWitness?.write({ epoch: epoch as CosignedCheckpoint['epoch'], seq, hash })
  await start()
  await witnessIsUpToDate()
})

describe('submissions', () => {
  test('a submission is accepted only if it extends the stored checkpoint: an earlier head and a forked history are refused', async () => {
    const early = await newSubmission()
    const { seq } = (await storedCheckpoint()) ?? { seq: -1 }
    expect(await submit(early)).toBe(200)
    await stop()
    await backUp()
    await start()
    await growLog()
    await witnessIsUpToDate()
    const stored = await storedCheckpoint()
    expect(await submit(early)).toBe(409)
    await stop()
    await restoreBackup()
    await serveWithoutWitness(async ({ trustLog }) => {
      // The fork is signed by the registry's own keys, and grows past the stored checkpoint
      acme = { ...acme, ...cast.as(acme) }
      for (let i = 0; i < 4; i++) await growLog()
      expect(await headOf()).toBeGreaterThan(stored?.seq ?? seq)
      for (const submission of [await newSubmission(), await newSubmission(stored)]) expect(await submit(submission)).toBe(409)
      const other = openWitness({ dataDirectory: file('nowhere'), witness: witnessUrl, issuer })
      const head = { epoch: trustLog.epoch, seq: await headOf(), hash: (await trustLog.leafHash(await headOf())) ?? '' }
      await expect(other?.write(head, trustLog)).rejects.toThrow('does not extend')
    })
    expect(await storedCheckpoint()).toEqual(stored)
  })

  test('a submission is refused if its signature, its proofs, its form or its log is wrong', async () => {
    const stored = await storedCheckpoint()
    const submission = await newSubmission(stored)
    const [origin, ...rest] = submission.note.split('\n')
    expect(await submit({ ...submission, note: [origin, '999', ...rest.slice(1)].join('\n') })).toBe(403)
    expect(await submit({ ...submission, note: submission.note.replace(origin ?? '', 'another.example') })).toBe(403)
    expect(await submit({ ...submission, entry: { ...submission.entry, seq: submission.entry.seq + 1 } })).toBe(400)
    expect(await submit({ ...submission, inclusion: submission.inclusion.slice(1) })).toBe(400)
    expect(await submit({ ...submission, more: 1 })).toBe(400)
    expect(await submit([])).toBe(400)
    for (const path of ['/witness', '/witness?log=a&log=b']) expect((await fetch(witnessUrl + path)).status).toBe(400)
    expect((await fetch(`${witnessUrl}/witness?log=another.example`)).status).toBe(403)
    // This registry is not a witness of any log
    expect((await fetch(`${issuer}/witness?log=${new URL(issuer).host}`)).status).toBe(403)
    expect(await storedCheckpoint()).toEqual(stored)
  })

  test('of twenty concurrent submissions the newest is stored, and no other replaces it', async () => {
    await stop()
    await serveWithoutWitness(async () => {
      const stored = await storedCheckpoint()
      const first = await newSubmission(stored)
      await growLog()
      const second = await newSubmission(stored)
      const statuses = await Promise.all(Array.from({ length: 20 }, (_, i) => submit(i % 2 === 0 ? first : second)))
      expect(statuses.every((status) => status === 200 || status === 409)).toBe(true)
      expect(await submit(second)).not.toBe(403)
      expect((await storedCheckpoint())?.seq).toBe(await headOf())
    })
  })
})

describe('restores of a witnessed registry', () => {
  beforeEach(async () => {
    await mirror()
    await stop()
    await backUp()
    await start()
    await growLog()
    await witnessIsUpToDate()
  })
  const restore = async (withMirror: boolean) => {
    const before = await storedCheckpoint()
    const ofPastEpoch = await newSubmission()
    if (withMirror) await mirror()
    await stop()
    await restoreBackup()
    expect(await restoreStore(registryConfig(), file('mirror.jsonl'), { mayQuarantine: !withMirror })).toMatchObject({
      reachesWitness: withMirror,
    })
    await start()
    await witnessIsUpToDate()
    const now = await storedCheckpoint()
    expect(now?.epoch).not.toBe(before?.epoch)
    // The witness refuses the past epoch, and the past epoch is not served again
    expect(await submit(ofPastEpoch)).toBe(403)
    await stop()
    await restoreBackup()
    await expect(start()).rejects.toThrow('is behind its witness')
    // The witness refuses the past epoch even while the keys of that epoch are published again
    await serveWithoutWitness(async () => {
      await expect.poll(() => submit(ofPastEpoch)).toBe(409)
      await expect.poll(async () => submit(await newSubmission())).toBe(409)
    })
    expect(await storedCheckpoint()).toEqual(now)
  }
  test('after a restore with a complete mirror, the registry is served in a new epoch, which the witness accepts', () => restore(true))
  test('after a restore without the last entries, the registry is served by its note file until the witness has the new epoch', () =>
    restore(false))
})
