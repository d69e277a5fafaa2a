// Tests of moving a registry by `credence admin dump --seal` and `load`, between stores of any kind.
import { once } from 'node:events'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { fetchRegistryKeys, newLogCopy } from '../../../src/client/index.js'
import { mirrorFile } from '../../../src/trust-log/recovery/mirror-file.js'
import { spawnNode } from '../../child.mjs'
import { eventually } from '../../eventually.js'
import { programFile } from '../../program.mjs'
import { reasonOf } from '../../stories/actors.js'
import { newWorld, type Place } from './world.js'

export interface Kind {
  /** A URL of an empty database; undefined for a SQLite file. */
  readonly newUrl: () => Promise<string | undefined>
  readonly release: (url: string) => Promise<void>
}

export const FILE: Kind = { newUrl: async () => undefined, release: async () => undefined }

async function withPlaces(from: Kind, to: Kind, work: (source: Place, target: Place) => Promise<void>): Promise<void> {
  const source = { data: 'source', store: await from.newUrl() }
  const target = { data: 'target', store: await to.newUrl() }
  try {
    await work(source, target)
  } finally {
    if (source.store !== undefined) await from.release(source.store)
    if (target.store !== undefined) await to.release(target.store)
  }
}

export function moveTests(from: Kind, to: Kind): void {
  test('after a move tokens stay valid, revoked ones stay revoked, search finds the same, and the source is not served', () =>
    withPlaces(from, to, async (source, target) => {
      await using world = await newWorld(source)
      const { ocr, planner, acme, start, stop, load, dump } = world
      const [valid, revoked] = [await world.callOcr(), await world.callOcr()]
      await planner.revoke(revoked.accessToken)
      const found = await world.searches()
      expect(found.map(([total]) => total)).toEqual([1, 1, 1])
      const feed = await ocr.subscribe()
      await feed.sync()
      const at = feed.seq
      const mirrored = mirrorFile(world.file('mirror.jsonl'))
      const mirror = async () =>
        newLogCopy(mirrored.read()).catchUp({ issuer: acme.issuer, keys: await fetchRegistryKeys(acme.issuer, 'log') }, mirrored.append)
      await mirror()
      await expect(dump(source, 'early.jsonl', { seals: true })).rejects.toThrow(/in use by another process|1 instance uses this store/)
      await stop()
      await dump(source, 'unsealed.jsonl')
      const kill = () => {
        throw new Error('killed')
      }
      await expect(dump(source, 'sealed.jsonl', { seals: true, onProgress: kill })).rejects.toThrow('killed')
      await dump(source, 'sealed.jsonl', { seals: true })
      await expect(start(source)).rejects.toThrow(/entry \d+ freezes the log of this store/)
      const moved = await load('sealed.jsonl', target)
      expect(moved).toMatchObject({ outcome: 'moved', documents: { agents: 2, cards: 1 } })
      expect(await load('sealed.jsonl', target)).toEqual({ outcome: 'already-moved', position: moved.position })

      expect((await start(target)).firstCode).toBeUndefined()
      expect([await ocr.introspect(valid.accessToken), await ocr.introspect(revoked.accessToken)]).toEqual([
        expect.objectContaining({ active: true }),
        { active: false },
      ])
      expect(await world.searches()).toEqual(found)
      // The feed continues in the same epoch, without a new snapshot. The client reconnects by itself
      await acme.mutate('agents.suspend', { agentId: planner.agentId })
      await eventually(() => feed.sync())
      expect(feed.seq).toBeGreaterThan(at)
      expect(await ocr.introspect(valid.accessToken)).toEqual({ active: false })
      feed.close()
      await mirror()
      expect(mirrored.read().map(({ type }) => type)).toEqual(expect.arrayContaining(['log.frozen', 'log.resumed']))

      // A store that was served since is not changed, and another store cannot get the registry a second time
      await stop()
      await expect(load('sealed.jsonl', target)).rejects.toThrow('the store is not empty')
      const second = { data: 'second', store: await to.newUrl() }
      await expect(load('sealed.jsonl', second)).rejects.toThrow(
        /is behind its witness .*this dump was loaded before, into another store: serve that store/,
      )
      if (second.store === undefined) expect(readdirSync(world.file('second'))).toEqual([])
      await expect(start(second)).rejects.toThrow(second.store ? 'a load into this database is incomplete' : 'is behind its witness')
      if (second.store !== undefined) await to.release(second.store)
      // A dump from before is like an old backup
      const third = { data: 'third', store: await to.newUrl() }
      expect(await load('unsealed.jsonl', third)).toMatchObject({ outcome: 'loaded' })
      await expect(start(third)).rejects.toThrow(/is behind its witness .*credence admin restore/)
      if (third.store !== undefined) await to.release(third.store)
    }))
}

const STEPS = ['log', 'cards', 'agents', 'counters', 'verify', 'resume', 'finish']

/** `killedAt`: the steps at which the program is killed. */
export function killTests(to: Kind, killedAt: readonly string[]): void {
  test('a load that is killed at any step starts over, and is not served before it is complete', () =>
    withPlaces(FILE, to, async (source, target) => {
      await using world = await newWorld(source)
      const valid = await world.callOcr()
      await world.stop()
      await world.dump(source, 'dump.jsonl', { seals: true })
      // A load over MongoDB takes seconds
      for (const killedAt of STEPS.filter((_, i) => target.store === undefined || i % 2 === 0)) {
        const onProgress = ({ step }: { step: string }) => {
          if (step === killedAt) throw new Error('killed')
        }
        await expect(world.load('dump.jsonl', target, { onProgress })).rejects.toThrow('killed')
        if (target.store === undefined) expect(readdirSync(world.file('target')).filter((name) => name === 'credence.db')).toEqual([])
        else await expect(world.start(target)).rejects.toThrow('a load into this database is incomplete')
      }
      expect(await world.load('dump.jsonl', target)).toMatchObject({ outcome: 'moved' })
      await world.start(target)
      expect(await world.ocr.introspect(valid.accessToken)).toMatchObject({ active: true })
      expect(await reasonOf(world.callOcr())).toBe('done')
      if (target.store === undefined) expect(readdirSync(world.file('target')).filter((name) => name.includes('loading'))).toEqual([])
    }))

  test.each(killedAt)('the program, killed by SIGKILL at the step %s, completes the load when it is run again', (step) =>
    withPlaces(FILE, to, async (source, target) => {
      await using world = await newWorld(source)
      await world.stop()
      await world.dump(source, 'dump.jsonl', { seals: true })
      const flags = [
        '--data',
        world.file('target'),
        ...(target.store ? ['--store', target.store] : []),
        '--witness',
        world.file('witness.json'),
      ]
      const args = [programFile(), 'admin', 'load', '--from', world.file('dump.jsonl'), '--json', ...flags]
      const first = spawnNode(args, { stdio: ['ignore', 'ignore', 'pipe'] })
      first.stderr.on('data', (text) => String(text).includes(step) && first.kill('SIGKILL'))
      await once(first, 'exit')
      const again = spawnNode(args, { stdio: ['ignore', 'pipe', 'inherit'] })
      const out: string[] = []
      again.stdout.on('data', (text) => out.push(String(text)))
      expect((await once(again, 'close'))[0]).toBe(0)
      expect(JSON.parse(out.join('')).outcome).toMatch(/^(already-)?moved$/)
      await world.start(target)
      expect((await world.planner.search({ text: 'scanned' })).total).toBe(1)
    }))
}

/** Writes a copy of a dump with other lines. */
export function rewrite(file: string, copy: string, change: (lines: string[]) => readonly string[]): void {
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n')
  writeFileSync(copy, `${change(lines).join('\n')}\n`, { mode: 0o600 })
}
