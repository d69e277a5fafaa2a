// A registry whose witness is another registry is copied from a file to MongoDB. The witness accepts the target, and neither the source nor a
// restored backup of the target can be served.
import { once } from 'node:events'
import { copyFile, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { fetchRegistryKeys, parseCheckpoint } from '../../../../src/client/index.js'
import { type CopyOptions, copyToMongo } from '../../../../src/operations/copy/command.js'
import { parseConfig } from '../../../../src/server/config.js'
import { type Registry as Served, serve } from '../../../../src/server/main.js'
import type { CosignedCheckpoint } from '../../../../src/trust-log/witness/cosigned-logs.js'
import { witnessFile } from '../../../../src/trust-log/witness/file.js'
import { spawnNode } from '../../../child.mjs'
import { freePort } from '../../../free-port.mjs'
import { type Actor, type AgentActor, aCard, type Cast, newCast } from '../../../registry.js'
import { introduce } from '../../../stories/actors.js'
import { tempFolder } from '../../open-store.js'
import { overMongod } from '../../over-mongod.js'
import { backUp, withDatabase } from '../backup.js'

overMongod((mongod) => {
  let folder: Awaited<ReturnType<typeof tempFolder>>
  let url: string
  let issuer: string
  let witnessUrl: string
  let served: Served | undefined
  let witness: Served | undefined
  let cast: Cast
  let acme: Actor
  let ocr: AgentActor
  let planner: AgentActor
  const file = (name: string) => join(folder.path, name)
  const flags = { dev: true, logLevel: 'silent', adminPort: 0 }
  const serveAt = async (dataDirectory: string, store?: string) => {
    const own = { dataDirectory: file(dataDirectory), port: Number(new URL(issuer).port), witness: witnessUrl, ...(store && { store }) }
    served = await serve(parseConfig({ ...flags, ...own }, undefined, {}))
  }
  const stop = async () => {
    await served?.close()
    served = undefined
  }
  const startWitness = async (port: number) => {
    witness = await serve(parseConfig({ ...flags, dataDirectory: file('b'), port, witnessFor: [issuer] }, undefined, {}))
    witnessUrl = witness.issuer
  }
  const stopWitness = async () => {
    await witness?.close()
    witness = undefined
  }
  const copy = (options: Partial<CopyOptions> = {}) =>
    copyToMongo({ from: `sqlite:${file('a/credence.db')}`, to: url, witness: witnessUrl, issuer, ...options })
  const checkpointOfWitness = async (): Promise<CosignedCheckpoint | undefined> =>
    (await (await fetch(`${witnessUrl}/witness?log=${new URL(issuer).host}`)).json()).checkpoint
  const headOf = async (): Promise<number> => {
    const { asOf } = await (await fetch(`${issuer}/log/entries?limit=0`)).json()
    return Number(asOf.split('.').at(-1))
  }
  const witnessIsCurrent = () =>
    expect.poll(async () => (await checkpointOfWitness())?.seq === (await headOf()), { timeout: 20_000 }).toBe(true)
  const saveSource = (name: string) => copyFile(file('a/credence.db'), file(name))
  const restoreSource = (name: string) => copyFile(file(name), file('a/credence.db'))

  beforeEach(async () => {
    folder = await tempFolder()
    url = mongod().url()
    issuer = `http://127.0.0.1:${await freePort()}`
    await startWitness(await freePort())
    await serveAt('a')
    cast = await newCast({ issuer, firstCode: served?.firstCode ?? '' })
    acme = await cast.organisation('Acme')
    ocr = await cast.agent({ registeredBy: acme, name: 'ocr', introductionPolicy: { mode: 'open' } })
    await ocr.publish({ card: aCard({ issuer }) })
    planner = await cast.agent({
      registeredBy: acme,
      name: 'planner',
      ceiling: { rights: [{ audience: ocr.audience, scope: 'ocr:read' }] },
    })
    await introduce(planner, ocr)
    await witnessIsCurrent()
  }, 60_000)
  afterEach(async () => {
    await stop()
    await stopWitness()
    await mongod().drop(url)
    await folder[Symbol.asyncDispose]()
  }, 60_000)

  test('after a copy tokens stay valid, and only the target can be served, on any machine, before and after its first start', async () => {
    const valid = await planner.exchange({ audience: ocr.audience })
    const revoked = await planner.exchange({ audience: ocr.audience })
    await planner.revoke(revoked.accessToken)
    await stop()
    const before = await checkpointOfWitness()
    await saveSource('before-freeze.db')
    const copied = await copy()
    if (copied.outcome !== 'moved') throw new Error(copied.outcome)
    // The witness cannot get a checkpoint before the target is served. A note beside the source holds the head until then
    expect(await checkpointOfWitness()).toEqual(before)
    await expect(serveAt('a')).rejects.toThrow('freezes the log of this store')
    await restoreSource('before-freeze.db')
    await expect(serveAt('a')).rejects.toThrow(
      `is behind its witness ${witnessUrl}: entry ${copied.resumeEntry.seq} is missing from the log`,
    )
    const fresh = await backUp(url)

    // Another machine, which knows only the address of the witness
    await serveAt('elsewhere', url)
    expect(served?.firstCode).toBeUndefined()
    expect([await ocr.introspect(valid.accessToken), await ocr.introspect(revoked.accessToken)]).toEqual([
      expect.objectContaining({ active: true }),
      { active: false },
    ])
    await witnessIsCurrent()
    const now = await checkpointOfWitness()
    expect(now?.epoch).toBe(before?.epoch)
    expect(now?.seq).toBeGreaterThanOrEqual(copied.resumeEntry.seq)
    const checkpoint = await parseCheckpoint(now?.note ?? '', { issuer, keys: await fetchRegistryKeys(issuer, 'log') })
    expect(checkpoint).toMatchObject({ size: now?.size, root: now?.root })

    await acme.mutate('agents.suspend', { agentId: planner.agentId })
    await witnessIsCurrent()
    await stop()
    await expect(serveAt('a')).rejects.toThrow('is behind its witness')
    await rm(file('a/restored.json'))
    await expect(serveAt('a')).rejects.toThrow('is behind its witness')
    await fresh.restore()
    await expect(serveAt('elsewhere', url)).rejects.toThrow('is behind its witness')
  }, 90_000)

  test('a source is not copied if it is behind its witness, or if the witness is unreachable or belongs to another registry', async () => {
    await stop()
    await saveSource('backup.db')
    await serveAt('a')
    await acme.mutate('agents.suspend', { agentId: planner.agentId })
    await witnessIsCurrent()
    await stop()
    await saveSource('right.db')
    await restoreSource('backup.db')
    await expect(copy()).rejects.toThrow(`is behind its witness ${witnessUrl}`)
    await restoreSource('right.db')
    await expect(copy({ issuer: 'https://other.example' })).rejects.toThrow('must be an https URL')
    await expect(copy({ issuer: 'http://127.0.0.1:1' })).rejects.toThrow('not a witness of that log')
    const port = Number(new URL(witnessUrl).port)
    await stopWitness()
    await expect(copy()).rejects.toThrow('cannot fetch')
    expect(await withDatabase(url, (db) => db.collection('log-blocks').countDocuments({ first: { $exists: true } }))).toBe(0)
    // The source is unchanged
    await startWitness(port)
    await serveAt('a')
    await stop()
    expect(await copy()).toMatchObject({ outcome: 'moved' })
  }, 90_000)

  test('if the witness becomes unreachable before the end, the next run updates it', async () => {
    await stop()
    await saveSource('before-freeze.db')
    const port = Number(new URL(witnessUrl).port)
    let closing: Promise<void> | undefined
    const onProgress = ({ stage }: { stage: string }) => {
      if (stage === 'freeze') closing = stopWitness()
    }
    await expect(copy({ onProgress })).rejects.toThrow('cannot fetch')
    await closing
    await startWitness(port)
    const args = ['admin', 'copy', '--from', `sqlite:${file('a/credence.db')}`, '--to', url, '--witness', witnessUrl, '--issuer', issuer]
    const again = spawnNode([MAIN, ...args, '--json'], { stdio: ['ignore', 'pipe', 'inherit'] })
    const out: string[] = []
    again.stdout.on('data', (text) => out.push(String(text)))
    expect((await once(again, 'exit'))[0]).toBe(0)
    expect(JSON.parse(out.join(''))).toEqual({ outcome: 'already-moved' })
    await restoreSource('before-freeze.db')
    await expect(serveAt('a')).rejects.toThrow('is behind its witness')
    await serveAt('a', url)
    await witnessIsCurrent()
  }, 90_000)

  test('a registry with a witness file can be copied and change to a remote witness in one step', async () => {
    const { epoch, seq, hash } = await vi.waitUntil(checkpointOfWitness)
    await stop()
    await stopWitness()
    await rm(file('b'), { recursive: true })
    await startWitness(await freePort())
    await expect(copy()).rejects.toThrow(/its witness .* is empty/)
    await witnessFile(file('a/witness.json')).write({ epoch, seq, hash })
    await saveSource('before-freeze.db')
    expect(await copy()).toMatchObject({ outcome: 'moved' })
    await restoreSource('before-freeze.db')
    await expect(serveAt('a')).rejects.toThrow('is behind its witness')
    await serveAt('a', url)
    await witnessIsCurrent()
  }, 90_000)
})

const MAIN = resolve(import.meta.dirname, '../../../../dist/cli/main.js')
