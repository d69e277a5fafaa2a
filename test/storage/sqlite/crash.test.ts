import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { openSqlite } from '../../../src/storage/sqlite/open.js'
import { spawnNode } from '../../child.mjs'
import { setClock } from '../../set-clock.js'
import { tempFolder } from '../open-store.js'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
const CHILD = fileURLToPath(new URL('crash-child.mjs', import.meta.url))
/** The adapter, bundled from the current sources for the child process. */
const MODULE = join(ROOT, 'node_modules', '.cache', `credence-crash-${process.pid}.mjs`)

/** Each point at which the child kills itself, and whether its last round is committed by then. */
const POINTS: readonly (readonly [string, boolean])[] = [
  ['before BEGIN', false],
  ['after BEGIN', false],
  ['after the first SAVEPOINT', false],
  ['between two operations of a commit', false],
  ['before RELEASE, a commit being written', false],
  ['mid-batch, after the first RELEASE', false],
  ['after a rollback to its SAVEPOINT', false],
  ['in the append of a block, before RELEASE', false],
  ['before COMMIT', false],
  ['after COMMIT, before any response', true],
  ['after the responses', true],
]

beforeAll(async () => {
  await mkdir(join(ROOT, 'node_modules', '.cache'), { recursive: true })
  const contents = `export { openSqlite } from './src/storage/sqlite/open.ts'; export { z } from 'zod'`
  await build({
    stdin: { contents, resolveDir: ROOT },
    outfile: MODULE,
    bundle: true,
    format: 'esm',
    platform: 'node',
    packages: 'external',
    logLevel: 'error',
  })
})

/** Runs the child until it is killed, by itself or by `kill`. Returns the lines that it printed. */
async function runChild(file: string, point: string, onLine: (lines: number, kill: () => void) => void = () => {}): Promise<string[]> {
  const child = spawnNode([CHILD, MODULE, file, point], { stdio: ['ignore', 'pipe', 'inherit'] })
  const died = new Promise<NodeJS.Signals | null>((resolve) => {
    child.on('close', (_code, signal) => resolve(signal))
  })
  const lines: string[] = []
  for await (const line of createInterface(child.stdout)) {
    lines.push(line)
    onLine(lines.length, () => child.kill('SIGKILL'))
  }
  expect(await died).toBe('SIGKILL')
  return lines
}

const Thing = z.strictObject({ id: z.string(), round: z.number(), state: z.string(), pad: z.string() })
const things = (name: string) => ({ name, schema: Thing, key: 'id' as const, indexes: { round: { fields: ['round'] as const } } })

/** Reads the file after the crash: the rounds in each collection, counter and log. */
async function reopened(file: string) {
  const storage = await openSqlite({ file, clock: setClock() })
  try {
    const roundsOf = async (name: string) => (await storage.collection(things(name)).find('round', { where: {}, limit: 100_000 })).items
    const left = await roundsOf('left')
    const blocks = await storage.log.read(0, 100_000)
    for (const block of blocks) for (const entry of block.entries) expect(await storage.log.has(entry.id)).toBe(block.n)
    return {
      left: left.map((thing) => thing.round),
      isChanged: left.every((thing) => thing.state === 'changed'),
      right: (await roundsOf('right')).map((thing) => thing.round),
      counted: (await storage.count('rounds', 0, 1e9, 2e9)) ?? 0,
      cards: (await storage.cards.search({ text: 'round', filters: [], tier: 'public', limit: 1 })).total,
      beside: (await roundsOf('beside')).map((thing) => thing.round),
      blocks: blocks.map((block) => block.n),
      head: (await storage.log.head())?.n,
    }
  } finally {
    await storage.close()
  }
}

const responsesOf = (round: number): string[] => [`appended ${round} true,false`, `failing ${round} false`, `whole ${round} true`]
const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i)

describe('after kill -9', () => {
  test.each(POINTS)('%s: every acknowledged write is stored, and no part of another commit', async (point, isCommitted) => {
    await using folder = await tempFolder()
    const file = join(folder.path, 'credence.db')
    const responses = await runChild(file, point)
    const rounds = upTo(isCommitted ? 4 : 3)
    const acknowledged = upTo(point === 'after the responses' ? 4 : 3)
    expect([...responses].sort()).toEqual(acknowledged.flatMap(responsesOf).sort())
    const expected = {
      left: rounds,
      isChanged: true,
      right: rounds,
      counted: rounds.length,
      cards: rounds.length,
      beside: rounds,
      blocks: rounds,
      head: rounds.at(-1),
    }
    expect(await reopened(file)).toEqual(expected)
  })

  test.each([
    1, 400,
  ])('killed from outside after %i responses: every acknowledged write is stored, and the store can be opened', async (count) => {
    await using folder = await tempFolder()
    const file = join(folder.path, 'credence.db')
    const responses = await runChild(file, 'whenever', (lines, kill) => {
      if (lines === count) kill()
    })
    const acknowledged = responses.filter((line) => line.startsWith('whole')).length
    const found = await reopened(file)
    // The last group may have been committed without its response being printed
    expect(found.left.length - acknowledged).toBeOneOf([0, 1])
    const rounds = upTo(found.left.length)
    expect(found).toEqual({
      left: rounds,
      isChanged: true,
      right: rounds,
      counted: rounds.length,
      cards: rounds.length,
      beside: rounds,
      blocks: rounds,
      head: rounds.at(-1),
    })
  })
})
