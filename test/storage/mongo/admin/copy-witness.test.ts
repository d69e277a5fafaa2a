// A registry whose witness is another registry moves from a file to MongoDB: the witness goes on with it, and neither the old place nor a
// put-back copy of the new one is served.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join, resolve } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { fetchRegistryKeys, parseCheckpoint } from '../../../../src/client/index.js'
import { type CopyOptions, copyToMongo } from '../../../../src/operations/copy/command.js'
import { parseConfig } from '../../../../src/server/config.js'
import { type Registry as Served, serve } from '../../../../src/server/main.js'
import type { CosignedCheckpoint } from '../../../../src/trust-log/witness/cosigned-logs.js'
import { witnessFile } from '../../../../src/trust-log/witness/file.js'
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
  const startWitness = async (port = 0) => {
    witness = await serve(parseConfig({ ...flags, dataDirectory: file('b'), port, witnessFor: [issuer] }, undefined, {}))
    witnessUrl = witness.issuer
  }
  const stopWitness = async () => {
    await witness?.close()
    witness = undefined
  }
  const move = (options: Partial<CopyOptions> = {}) =>
    copyToMongo({ from: `sqlite:${file('a/credence.db')}`, to: url, witness: witnessUrl, issuer, ...options })
  const remembered = async (): Promise<CosignedCheckpoint | undefined> =>
    (await (await fetch(`${witnessUrl}/witness?log=${new URL(issuer).host}`)).json()).remembered
  const headOf = async (): Promise<number> => {
    const { asOf } = await (await fetch(`${issuer}/log/entries?limit=0`)).json()
    return Number(asOf.split('.').at(-1))
  }
  const raised = () => expect.poll(async () => (await remembered())?.seq === (await headOf()), { timeout: 20_000 }).toBe(true)
  const keepSource = (name: string) => copyFile(file('a/credence.db'), file(name))
  const putBackSource = (name: string) => copyFile(file(name), file('a/credence.db'))

  beforeEach(async () => {
    folder = await tempFolder()
    url = mongod().url()
    issuer = await freeOrigin()
    await startWitness()
    await serveAt('a')
    cast = await newCast({ issuer, firstCode: served?.firstCode ?? '' })
    acme = await cast.organisation('Acme')
    ocr = await cast.agent({ of: acme, name: 'ocr', introductionPolicy: { mode: 'open' } })
    await ocr.publish({ card: aCard({ issuer }) })
    planner = await cast.agent({ of: acme, name: 'planner', ceiling: { rights: [{ audience: ocr.audience, scope: 'ocr:read' }] } })
    await introduce(planner, ocr)
    await raised()
  }, 60_000)
  afterEach(async () => {
    await stop()
    await stopWitness()
    await mongod().drop(url)
    await folder[Symbol.asyncDispose]()
  }, 60_000)

  test('what lived lives; before its first start and after, only what it was moved to is served, on any machine', async () => {
    const lives = await planner.exchange({ audience: ocr.audience })
    const ended = await planner.exchange({ audience: ocr.audience })
    await planner.revoke(ended.accessToken)
    await stop()
    const before = await remembered()
    await keepSource('before-freeze.db')
    const copied = await move()
    if (copied.outcome !== 'moved') throw new Error(copied.outcome)
    // It cannot be shown a checkpoint yet; a note beside the source stands for it
    expect(await remembered()).toEqual(before)
    await expect(serveAt('a')).rejects.toThrow('freezes the log of this store')
    await putBackSource('before-freeze.db')
    await expect(serveAt('a')).rejects.toThrow(`is behind its witness ${witnessUrl}: entry ${copied.resumeEntry.seq} is missing from the log`)
    const fresh = await backUp(url)

    // Another machine, which has nothing but the address of the witness
    await serveAt('elsewhere', url)
    expect(served?.firstCode).toBeUndefined()
    expect([await ocr.introspect(lives.accessToken), await ocr.introspect(ended.accessToken)]).toEqual([
      expect.objectContaining({ active: true }),
      { active: false },
    ])
    await raised()
    const now = await remembered()
    expect(now?.epoch).toBe(before?.epoch)
    expect(now?.seq).toBeGreaterThanOrEqual(copied.resumeEntry.seq)
    const checkpoint = await parseCheckpoint(now?.note ?? '', { issuer, keys: await fetchRegistryKeys(issuer, 'log') })
    expect(checkpoint).toMatchObject({ size: now?.size, root: now?.root })

    await acme.mutate('agents.suspend', { agentId: planner.agentId })
    await raised()
    await stop()
    await expect(serveAt('a')).rejects.toThrow('is behind its witness')
    await rm(file('a/restored.json'))
    await expect(serveAt('a')).rejects.toThrow('is behind its witness')
    await fresh.putBack()
    await expect(serveAt('elsewhere', url)).rejects.toThrow('is behind its witness')
  }, 90_000)

  test('a source that is behind its witness is not moved, nor one whose witness cannot be asked, or is of another', async () => {
    await stop()
    await keepSource('backup.db')
    await serveAt('a')
    await acme.mutate('agents.suspend', { agentId: planner.agentId })
    await raised()
    await stop()
    await keepSource('right.db')
    await putBackSource('backup.db')
    await expect(move()).rejects.toThrow(`is behind its witness ${witnessUrl}`)
    await putBackSource('right.db')
    await expect(move({ issuer: 'https://other.example' })).rejects.toThrow('must be an https URL')
    await expect(move({ issuer: 'http://127.0.0.1:1' })).rejects.toThrow('no witness of that log')
    const port = Number(new URL(witnessUrl).port)
    await stopWitness()
    await expect(move()).rejects.toThrow('cannot fetch')
    expect(await withDatabase(url, (db) => db.collection('log-blocks').countDocuments({ first: { $exists: true } }))).toBe(0)
    // The source is as it was
    await startWitness(port)
    await serveAt('a')
    await stop()
    expect(await move()).toMatchObject({ outcome: 'moved' })
  }, 90_000)

  test('a witness that goes away before the end is told by the next run', async () => {
    await stop()
    await keepSource('before-freeze.db')
    const port = Number(new URL(witnessUrl).port)
    let closing: Promise<void> | undefined
    const onProgress = ({ stage }: { stage: string }) => {
      if (stage === 'freeze') closing = stopWitness()
    }
    await expect(move({ onProgress })).rejects.toThrow('cannot fetch')
    await closing
    await startWitness(port)
    const args = ['admin', 'copy', '--from', `sqlite:${file('a/credence.db')}`, '--to', url, '--witness', witnessUrl, '--issuer', issuer]
    const again = spawn(process.execPath, [MAIN, ...args, '--json'], { stdio: ['ignore', 'pipe', 'inherit'] })
    const out: string[] = []
    again.stdout.on('data', (text) => out.push(String(text)))
    expect((await once(again, 'exit'))[0]).toBe(0)
    expect(JSON.parse(out.join(''))).toEqual({ outcome: 'already-moved' })
    await putBackSource('before-freeze.db')
    await expect(serveAt('a')).rejects.toThrow('is behind its witness')
    await serveAt('a', url)
    await raised()
  }, 90_000)

  test('one that had a file moves to the deployment and to another registry at once', async () => {
    const { epoch, seq, hash } = await vi.waitUntil(remembered)
    await stop()
    await stopWitness()
    await rm(file('b'), { recursive: true })
    await startWitness()
    await expect(move()).rejects.toThrow(/its witness .* is empty/)
    await witnessFile(file('a/witness.json')).write({ epoch, seq, hash })
    await keepSource('before-freeze.db')
    expect(await move()).toMatchObject({ outcome: 'moved' })
    await putBackSource('before-freeze.db')
    await expect(serveAt('a')).rejects.toThrow('is behind its witness')
    await serveAt('a', url)
    await raised()
  }, 90_000)
})

async function freeOrigin(): Promise<string> {
  const server = createServer()
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const { port } = server.address() as { port: number }
  await new Promise((closed) => server.close(closed))
  return `http://127.0.0.1:${port}`
}

const MAIN = resolve(import.meta.dirname, '../../../../dist/cli/main.js')
