// A running story moves from a file to MongoDB: what lived lives, what was ended stays ended, and nobody can serve the old place.
import { spawn } from 'node:child_process'
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
import { mirrorFile } from '../../../../src/trust-log/recovery/mirror-file.js'
import { freezeEntryOf } from '../../../../src/trust-log/recovery/freeze.js'
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
    port = Number(new URL(registry.issuer).port)
    return registry
  }
  const stop = async () => {
    await Promise.all(running.map((one) => one.close()))
    running = []
  }
  const move = (options: Partial<CopyOptions> = {}) => copyToMongo({ from: `sqlite:${file('data/credence.db')}`, to: url, ...options })
  /** The run ends at the first of its steps at which none has ended before, as if it had been killed there; at which, if it did not come to its end. */
  const killedAnew = async (killed: Set<string>): Promise<Progress['stage'] | undefined> => {
    let at: Progress['stage'] | undefined
    const onProgress = ({ stage, collection }: Progress) => {
      const step = `${stage} ${collection}`
      if (killed.has(step)) return
      killed.add(step)
      at = stage
      throw new Error('killed')
    }
    const run = move({ onProgress })
    await run.catch((error: Error) => expect(error.message).toBe('killed'))
    return at
  }
  const callOcr = async () =>
    planner.exchange({ audience: ocr.audience, taskId: (await planner.tasks.create({ description: 'read' })).taskId })

  beforeEach(async () => {
    folder = await tempFolder()
    url = mongod().url()
    port = 0
    const { issuer, firstCode = '' } = await start()
    cast = await newCast({ issuer, firstCode })
    acme = await cast.organisation('Acme')
    ocr = await cast.agent({ of: acme, name: 'ocr', introductionPolicy: { mode: 'open' } })
    const invoices = { id: 'invoices', name: 'Read invoices', description: 'Totals of invoices.', tags: ['invoice'] }
    const [page] = aCard({ issuer }).skills as readonly object[]
    await ocr.publish({
      card: aCard({ issuer }, { skills: [page, invoices] as never }),
      hide: ['/skills/1'],
      tiers: { '/skills/1': 'authenticated' },
    })
    planner = await cast.agent({ of: acme, name: 'planner', ceiling: { rights: [{ audience: ocr.audience, scope: 'ocr:read' }] } })
    await introduce(planner, ocr)
  }, 30_000)
  afterEach(async () => {
    await stop()
    await mongod().drop(url)
    await folder[Symbol.asyncDispose]()
  })

  test('a token from before is accepted after, one that was ended is not, search is the same, and the source refuses', async () => {
    const [lives, ended] = [await callOcr(), await callOcr()]
    await planner.revoke(ended.accessToken)
    const searches = () =>
      Promise.all(['scanned', 'invoices', ''].map((text) => planner.search(text === '' ? { tags: ['ocr'] } : { text })))
    const found = await searches()
    expect(found.map(({ total }) => total)).toEqual([1, 1, 1])
    const feed = await ocr.subscribe()
    await feed.sync()
    const at = feed.seq
    const kept = mirrorFile(file('mirror.jsonl'))
    const mirror = async () =>
      newLogCopy(kept.read()).catchUp({ issuer: acme.issuer, keys: await fetchRegistryKeys(acme.issuer, 'log') }, kept.append)
    await mirror()
    await stop()

    const progress: Progress[] = []
    const copied = await move({ onProgress: (one) => progress.push(one) })
    if (copied.outcome !== 'moved') throw new Error(copied.outcome)
    const { compared } = copied
    expect([compared.documents.agents, compared.documents.cards, compared.cards.public]).toEqual([2, 1, 1])
    expect(compared.documents.tokens).toBeGreaterThan(2)
    const stages = [...new Set(progress.map(({ stage }) => stage))].filter((stage) => stage !== 'counters')
    expect(stages).toEqual(STAGES)

    await expect(start()).rejects.toThrow(/entry \d+ freezes the log of this store/)
    expect((await start(url)).firstCode).toBeUndefined()
    expect([await ocr.introspect(lives.accessToken), await ocr.introspect(ended.accessToken)]).toEqual([
      expect.objectContaining({ active: true }),
      { active: false },
    ])
    const withoutScores = (all: Awaited<ReturnType<typeof searches>>) =>
      all.map(({ hits, total }) => [total, hits.map(({ agentId }) => agentId)])
    expect(withoutScores(await searches())).toEqual(withoutScores(found))
    // The feed goes on in the same epoch: it needs no new snapshot
    await acme.mutate('agents.suspend', { agentId: planner.agentId })
    // Its socket was cut, and comes back by itself
    await vi.waitFor(() => feed.sync(), { timeout: 15_000 })
    expect(feed.seq).toBeGreaterThan(at)
    expect(await ocr.introspect(lives.accessToken)).toEqual({ active: false })
    feed.close()
    await mirror()
    expect(kept.read().map(({ type }) => type)).toEqual(expect.arrayContaining(['log.frozen', 'log.resumed']))
    // Once more changes nothing, and a second target is refused
    await stop()
    expect(await move()).toEqual({ outcome: 'already-moved' })
    const second = mongod().url()
    await expect(move({ to: second })).rejects.toThrow('the source was frozen for another deployment')
    await mongod().drop(second)
  }, 60_000)

  test('an instance that had opened the target while it was empty is noticed before the source is sealed', async () => {
    await stop()
    const early = await openMongo({ url, clock: systemClock, instance: 'early', warn: () => undefined })
    let reading: NodeJS.Timeout | undefined
    const onProgress = ({ stage }: Progress) => {
      if (stage === 'documents') reading ??= setInterval(() => void early.log.head().catch(() => undefined), 200)
    }
    await expect(move({ onProgress })).rejects.toThrow('1 instance uses this store')
    clearInterval(reading)
    await early.close()
    await start()
    await stop()
    expect(await move()).toMatchObject({ outcome: 'moved' })
  }, 60_000)

  test('killed at each of its steps, and served meanwhile as long as it is not sealed, it ends with the same', async () => {
    const ended = await callOcr()
    let lives = ended
    await stop()
    const killed = new Set<string>()
    for (let stage = await killedAnew(killed); stage !== undefined; stage = await killedAnew(killed)) {
      await expect(start(url)).rejects.toThrow('a copy into this deployment is not finished')
      if (stage === 'resume' || stage === 'finish') await expect(start()).rejects.toThrow(/entry \d+ freezes the log of this store/)
      else if (killed.size % 9 === 1) {
        // Every so often the source goes on, and changes
        await start()
        const ceiling = { rights: [{ audience: ocr.audience, scope: 'ocr:read' }], delegationDepth: killed.size % 5 }
        await acme.mutate('agents.change', { agentId: planner.agentId, ceiling })
        lives = await callOcr()
        await stop()
      }
    }
    expect([...killed].map((step) => step.split(' ')[0])).toEqual(expect.arrayContaining(STAGES))
    expect(killed.size).toBeGreaterThan(15)
    expect(await move()).toEqual({ outcome: 'already-moved' })
    await start(url)
    expect((await planner.search({ text: 'scanned' })).total).toBe(1)
    expect(await ocr.introspect(lives.accessToken)).toMatchObject({ active: true })
    expect(await ocr.introspect(ended.accessToken)).toEqual({ active: false })
    expect(await reasonOf(callOcr())).toBe('done')
  }, 120_000)

  test('a rehearsal leaves the source as it was; what is not an empty target, or a source that was put back, is refused', async () => {
    await stop()
    await copyFile(file('data/credence.db'), file('backup.db'))
    expect(await move({ rehearse: true })).toMatchObject({ outcome: 'rehearsed' })
    await start()
    await acme.mutate('agents.suspend', { agentId: planner.agentId })
    await expect(move()).rejects.toThrow('in use by another process')
    await stop()
    await copyFile(file('data/credence.db'), file('newer.db'))
    await copyFile(file('backup.db'), file('data/credence.db'))
    await expect(move()).rejects.toThrow('is behind its witness')
    await copyFile(file('newer.db'), file('data/credence.db'))
    const other = mongod().url()
    const storage = await openMongo({ url: other, clock: systemClock, instance: 'other', warn: () => undefined })
    const genesis = await firstBlock(file('data/credence.db'))
    await storage.log.append(genesis)
    await storage.close()
    await expect(move({ to: other })).rejects.toThrow('this deployment holds a registry already')
    await mongod().drop(other)
    expect(await move()).toMatchObject({ outcome: 'moved' })
  }, 60_000)

  test('a machine whose clock is far from the target’s moves nothing: the source is not sealed', async () => {
    await stop()
    const clock = runningClock()
    clock.step(-3600)
    const from = await openSqlite({ file: file('data/credence.db'), clock })
    const to = await openMongo({ url, clock, instance: 'test', isImporting: true, warn: () => undefined })
    const moving = copyRegistry({ from, to, clock, random: systemRandom, rehearse: false, onProgress: () => undefined })
    await expect(moving).rejects.toThrow('more than 5 s apart')
    expect(freezeEntryOf(await from.log.head())).toBeUndefined()
    await Promise.all([from.close(), to.close()])
    expect(await move()).toMatchObject({ outcome: 'moved' })
  }, 60_000)

  test('what the target has lost, or holds otherwise, is found', async () => {
    await stop()
    await move({ rehearse: true })
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

  test.each(['documents', 'freeze', 'finish'])('the program, killed with -9 at its stage %s, goes on when it is run again', async (stage) => {
    await stop()
    const args = ['admin', 'copy', '--from', `sqlite:${file('data/credence.db')}`, '--to', url, '--json']
    const first = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'ignore', 'pipe'] })
    first.stderr.on('data', (text) => String(text).includes(stage) && first.kill('SIGKILL'))
    await once(first, 'exit')
    const again = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'ignore'] })
    const out: string[] = []
    again.stdout.on('data', (text) => out.push(String(text)))
    expect((await once(again, 'exit'))[0]).toBe(0)
    expect(JSON.parse(out.join('')).outcome).toMatch(/^moved/)
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

/** In this order; counters come beside documents. */
const STAGES = ['log', 'documents', 'search', 'compare', 'freeze', 'resume', 'finish']
const MAIN = resolve(import.meta.dirname, '../../../../dist/cli/main.js')
