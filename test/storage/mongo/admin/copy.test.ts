// A registry is copied from a file to MongoDB: tokens stay valid, revoked items stay revoked, and the source can no longer be served.
import { once } from 'node:events'
import { copyFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { Db } from 'mongodb'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { fetchRegistryKeys, newLogCopy } from '../../../../src/client/index.js'
import { AGENTS } from '../../../../src/identity/agents/store.js'
import { systemClock } from '../../../../src/lib/clock.js'
import { systemRandom } from '../../../../src/lib/random.js'
import { COLLECTIONS, openCollections } from '../../../../src/operations/collections.js'
import { type CopyOptions, copyToMongo, type Progress } from '../../../../src/operations/copy/command.js'
import { requireEqual } from '../../../../src/operations/copy/compare.js'
import { copyRegistry } from '../../../../src/operations/copy/copy.js'
import type { Block } from '../../../../src/protocol/log/entry.js'
import { parseConfig } from '../../../../src/server/config.js'
import { type Registry as Served, serve } from '../../../../src/server/main.js'
import { openMongo } from '../../../../src/storage/mongo/open.js'
import { openSqlite } from '../../../../src/storage/sqlite/open.js'
import { anySpec } from '../../../../src/storage/storage.js'
import { freezeEntryOf } from '../../../../src/trust-log/recovery/freeze.js'
import { mirrorFile } from '../../../../src/trust-log/recovery/mirror-file.js'
import { spawnNode } from '../../../child.mjs'
import { freePort } from '../../../free-port.mjs'
import { type Actor, type AgentActor, aCard, type Cast, newCast } from '../../../registry.js'
import { runningClock } from '../../../set-clock.js'
import { introduce, reasonOf } from '../../../stories/actors.js'
import { tempFolder } from '../../open-store.js'
import { overMongod } from '../../over-mongod.js'
import { withDatabase } from '../backup.js'

overMongod((mongod) => {
  let folder: Awaited<ReturnType<typeof tempFolder>>
  let url: string
  let running: Served[] = []
  let cast: Cast
  let acme: Actor
  let ocr: AgentActor
  let planner: AgentActor
  let port: number
  const file = (name: string) => join(folder.path, name)
  const start = async (store?: string) => {
    const flags = {
      dev: true,
      ...(store && { store }),
      dataDirectory: file('data'),
      port,
      adminPort: 0,
      graceSeconds: 0,
      logLevel: 'silent',
    }
    const registry = await serve(parseConfig(flags, undefined, {}))
    running.push(registry)
    return registry
  }
  const stop = async () => {
    await Promise.all(running.map((one) => one.close()))
    running = []
  }
  const copy = (options: Partial<CopyOptions> = {}) => copyToMongo({ from: `sqlite:${file('data/credence.db')}`, to: url, ...options })
  /** Runs the copy until its first step that is not in `killed`, and stops there as if the process was killed. Returns that step, or undefined if the copy completed. */
  const killAtNextStep = async (killed: Set<string>): Promise<Progress['stage'] | undefined> => {
    let killedAt: Progress['stage'] | undefined
    const onProgress = ({ stage, collection }: Progress) => {
      const step = `${stage} ${collection}`
      if (killed.has(step)) return
      killed.add(step)
      killedAt = stage
      throw new Error('killed')
    }
    const run = copy({ onProgress })
    await run.catch((error: Error) => expect(error.message).toBe('killed'))
    return killedAt
  }
  const callOcr = async () =>
    planner.exchange({ audience: ocr.audience, taskId: (await planner.tasks.create({ description: 'read' })).taskId })

  beforeEach(async () => {
    folder = await tempFolder()
    url = mongod().url()
    port = await freePort()
    const { issuer, firstCode = '' } = await start()
    cast = await newCast({ issuer, firstCode })
    acme = await cast.organisation('Acme')
    ocr = await cast.agent({ registeredBy: acme, name: 'ocr', introductionPolicy: { mode: 'open' } })
    const invoices = { id: 'invoices', name: 'Read invoices', description: 'Totals of invoices.', tags: ['invoice'] }
    const [page] = aCard({ issuer }).skills as readonly object[]
    await ocr.publish({
      card: aCard({ issuer }, { skills: [page, invoices] as never }),
      hide: ['/skills/1'],
      tiers: { '/skills/1': 'authenticated' },
    })
    planner = await cast.agent({
      registeredBy: acme,
      name: 'planner',
      ceiling: { rights: [{ audience: ocr.audience, scope: 'ocr:read' }] },
    })
    await introduce(planner, ocr)
  }, 30_000)
  afterEach(async () => {
    await stop()
    await mongod().drop(url)
    await folder[Symbol.asyncDispose]()
  })

  test('after a copy tokens stay valid, revoked ones stay revoked, search finds the same, and the source is refused', async () => {
    const [valid, revoked] = [await callOcr(), await callOcr()]
    await planner.revoke(revoked.accessToken)
    const searches = () =>
      Promise.all(['scanned', 'invoices', ''].map((text) => planner.search(text === '' ? { tags: ['ocr'] } : { text })))
    const found = await searches()
    expect(found.map(({ total }) => total)).toEqual([1, 1, 1])
    const feed = await ocr.subscribe()
    await feed.sync()
    const at = feed.seq
    const mirrored = mirrorFile(file('mirror.jsonl'))
    const mirror = async () =>
      newLogCopy(mirrored.read()).catchUp({ issuer: acme.issuer, keys: await fetchRegistryKeys(acme.issuer, 'log') }, mirrored.append)
    await mirror()
    await stop()

    const progress: Progress[] = []
    const copied = await copy({ onProgress: (one) => progress.push(one) })
    if (copied.outcome !== 'moved') throw new Error(copied.outcome)
    const { compared } = copied
    expect([compared.documents.agents, compared.documents.cards, compared.cards.public]).toEqual([2, 1, 1])
    expect(compared.documents.tokens).toBeGreaterThan(2)
    const stages = [...new Set(progress.map(({ stage }) => stage))].filter((stage) => stage !== 'counters')
    expect(stages).toEqual(STAGES)

    await expect(start()).rejects.toThrow(/entry \d+ freezes the log of this store/)
    expect((await start(url)).firstCode).toBeUndefined()
    expect([await ocr.introspect(valid.accessToken), await ocr.introspect(revoked.accessToken)]).toEqual([
      expect.objectContaining({ active: true }),
      { active: false },
    ])
    const withoutScores = (all: Awaited<ReturnType<typeof searches>>) =>
      all.map(({ hits, total }) => [total, hits.map(({ agentId }) => agentId)])
    expect(withoutScores(await searches())).toEqual(withoutScores(found))
    // The feed continues in the same epoch, without a new snapshot
    await acme.mutate('agents.suspend', { agentId: planner.agentId })
    // The client reconnects by itself
    await vi.waitFor(() => feed.sync(), { timeout: 15_000 })
    expect(feed.seq).toBeGreaterThan(at)
    expect(await ocr.introspect(valid.accessToken)).toEqual({ active: false })
    feed.close()
    await mirror()
    expect(mirrored.read().map(({ type }) => type)).toEqual(expect.arrayContaining(['log.frozen', 'log.resumed']))
    // Another run changes nothing, and a second target is refused
    await stop()
    expect(await copy()).toEqual({ outcome: 'already-moved' })
    const second = mongod().url()
    await expect(copy({ to: second })).rejects.toThrow('the source was frozen for another deployment')
    await mongod().drop(second)
  }, 60_000)

  test('an instance that opened the target while it was empty is detected before the source is frozen', async () => {
    await stop()
    const early = await openMongo({ url, clock: systemClock, instance: 'early', warn: () => undefined })
    let reading: NodeJS.Timeout | undefined
    const onProgress = ({ stage }: Progress) => {
      if (stage === 'documents') reading ??= setInterval(() => void early.log.head().catch(() => undefined), 200)
    }
    await expect(copy({ onProgress })).rejects.toThrow('1 instance uses this store')
    clearInterval(reading)
    await early.close()
    await start()
    await stop()
    expect(await copy()).toMatchObject({ outcome: 'moved' })
  }, 60_000)

  test('a copy that is killed at any step can be run again, and the source can be served until it is frozen', async () => {
    const revoked = await callOcr()
    let valid = revoked
    await stop()
    const killed = new Set<string>()
    for (let stage = await killAtNextStep(killed); stage !== undefined; stage = await killAtNextStep(killed)) {
      await expect(start(url)).rejects.toThrow('a copy into this deployment is incomplete')
      if (stage === 'resume' || stage === 'finish') await expect(start()).rejects.toThrow(/entry \d+ freezes the log of this store/)
      else if (killed.size % 9 === 1) {
        // Sometimes the source is served and changes between two runs
        await start()
        const ceiling = { rights: [{ audience: ocr.audience, scope: 'ocr:read' }], delegationDepth: killed.size % 5 }
        await acme.mutate('agents.change', { agentId: planner.agentId, ceiling })
        valid = await callOcr()
        await stop()
      }
    }
    expect([...killed].map((step) => step.split(' ')[0])).toEqual(expect.arrayContaining(STAGES))
    expect(killed.size).toBeGreaterThan(15)
    expect(await copy()).toEqual({ outcome: 'already-moved' })
    await start(url)
    expect((await planner.search({ text: 'scanned' })).total).toBe(1)
    expect(await ocr.introspect(valid.accessToken)).toMatchObject({ active: true })
    expect(await ocr.introspect(revoked.accessToken)).toEqual({ active: false })
    expect(await reasonOf(callOcr())).toBe('done')
  }, 120_000)

  test('a rehearsal leaves the source unchanged, and a target that is not empty or a restored source is refused', async () => {
    await stop()
    await copyFile(file('data/credence.db'), file('backup.db'))
    expect(await copy({ rehearse: true })).toMatchObject({ outcome: 'rehearsed' })
    await start()
    await acme.mutate('agents.suspend', { agentId: planner.agentId })
    await expect(copy()).rejects.toThrow('in use by another process')
    await stop()
    await copyFile(file('data/credence.db'), file('newer.db'))
    await copyFile(file('backup.db'), file('data/credence.db'))
    await expect(copy()).rejects.toThrow('is behind its witness')
    await copyFile(file('newer.db'), file('data/credence.db'))
    const other = mongod().url()
    const storage = await openMongo({ url: other, clock: systemClock, instance: 'other', warn: () => undefined })
    const genesis = await firstBlock(file('data/credence.db'))
    await storage.log.append(genesis)
    await storage.close()
    await expect(copy({ to: other })).rejects.toThrow('this deployment already contains a registry')
    await mongod().drop(other)
    expect(await copy()).toMatchObject({ outcome: 'moved' })
  }, 60_000)

  test('on a machine whose clock differs from the target’s nothing is copied and the source is not frozen', async () => {
    await stop()
    const clock = runningClock()
    clock.step(-3600)
    const from = await openSqlite({ file: file('data/credence.db'), clock })
    const to = await openMongo({ url, clock, instance: 'test', isImporting: true, warn: () => undefined })
    const moving = copyRegistry({ from, to, clock, random: systemRandom, rehearse: false, onProgress: () => undefined })
    await expect(moving).rejects.toThrow('differ by more than 5 s')
    expect(freezeEntryOf(await from.log.head())).toBeUndefined()
    await Promise.all([from.close(), to.close()])
    expect(await copy()).toMatchObject({ outcome: 'moved' })
  }, 60_000)

  test('the comparison finds documents that the target lacks or that differ', async () => {
    await stop()
    await copy({ rehearse: true })
    const from = await openSqlite({ file: file('data/credence.db'), clock: systemClock })
    const to = await openMongo({ url, clock: systemClock, instance: 'test', isImporting: true, warn: () => undefined })
    openCollections(from)
    openCollections(to)
    const compare = () => requireEqual({ from, to, specs: COLLECTIONS, now: systemClock.now() })
    expect((await compare()).documents.agents).toBe(2)
    const agents = anySpec(AGENTS)
    const inDatabase = async (change: (db: Db) => Promise<unknown>) => {
      await withDatabase(url, change)
      const outcome = await compare().catch((error: Error) => error.message)
      await to.bulk.putDocuments(agents, await from.bulk.documents(agents, { limit: 9, now: 0 }))
      return outcome
    }
    expect(await inDatabase((db) => db.collection('agents').deleteOne({}))).toBe('agents: the source has 2, the target 1')
    const renamed = [{ $set: { text: { $replaceOne: { input: '$text', find: '"name":"', replacement: '"name":"x' } } } }]
    expect(await inDatabase((db) => db.collection('agents').updateOne({}, renamed))).toBe('agents: the target differs from the source')
    const head = await from.log.head()
    if (head === undefined) throw new Error('there is a log')
    expect(await inDatabase((db) => db.collection('log-blocks').deleteOne({ _id: head.n as never }))).toMatch(/the target has no log block/)
    await to.bulk.putBlocks([head])
    expect(await inDatabase((db) => db.collection('card-rows').deleteOne({ tier: 'public' }))).toMatch(/search at the public tier/)
    await Promise.all([from.close(), to.close()])
  }, 60_000)

  test.each([
    'documents',
    'freeze',
    'finish',
  ])('the program, killed by SIGKILL at stage %s, completes the copy when it is run again', async (stage) => {
    await stop()
    const args = ['admin', 'copy', '--from', `sqlite:${file('data/credence.db')}`, '--to', url, '--json']
    const first = spawnNode([MAIN, ...args], { stdio: ['ignore', 'ignore', 'pipe'] })
    first.stderr.on('data', (text) => String(text).includes(stage) && first.kill('SIGKILL'))
    await once(first, 'exit')
    const again = spawnNode([MAIN, ...args], { stdio: ['ignore', 'pipe', 'ignore'] })
    const out: string[] = []
    again.stdout.on('data', (text) => out.push(String(text)))
    expect((await once(again, 'exit'))[0]).toBe(0)
    expect(JSON.parse(out.join('')).outcome).toMatch(/^(already-)?moved/)
    await start(url)
    expect((await planner.search({ text: 'scanned' })).total).toBe(1)
  }, 60_000)
})

async function firstBlock(path: string): Promise<Block> {
  const storage = await openSqlite({ file: path, clock: systemClock })
  const [first] = await storage.log.read(0, 1)
  await storage.close()
  if (first === undefined) throw new Error('there is a log')
  return first
}

/** In this order. Counters are copied during `documents`. */
const STAGES = ['log', 'documents', 'search', 'compare', 'freeze', 'resume', 'finish']
const MAIN = resolve(import.meta.dirname, '../../../../dist/cli/main.js')
