// The status codes of C2SP tlog-witness, of Credence and of litewitness by the same tests.
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { fetchRegistryKeys, readVerifierKeys } from '../../../src/client/index.js'
import { findCosignature, readVerifierKey } from '../../../src/credentials/cosignature.js'
import { COSIGNER_KEY, signNote } from '../../../src/credentials/signed-note.js'
import { parseConfig } from '../../../src/server/config.js'
import { type Registry as Served, serve } from '../../../src/server/main.js'
import { spawnNode } from '../../child.mjs'
import { freePort } from '../../free-port.mjs'
import { tempFolder } from '../../storage/open-store.js'
import { findLitewitness, startLitewitness } from './litewitness.js'
import { newTestLog, type TestLog } from './test-log.js'

interface Witness {
  readonly url: string
  readonly verifierKey: string
  stop(): Promise<void>
}
type StartWitness = (folder: string, logs: readonly TestLog[]) => Promise<Witness>

const configOf = (folder: string, port: number, logs: readonly { readonly verifierKey: string }[]) =>
  parseConfig(
    {
      dev: true,
      logLevel: 'silent',
      adminPort: 0,
      port,
      dataDirectory: join(folder, 'witness'),
      cosignFor: logs.map(({ verifierKey }) => verifierKey),
    },
    undefined,
    {},
  )
const keysOf = async (issuer: string): Promise<readonly string[]> =>
  (await readVerifierKeys({ issuer, keys: await fetchRegistryKeys(issuer, 'log') })).witness
const startCredence: StartWitness = async (folder, logs) => {
  const registry = await serve(configOf(folder, await freePort(), logs))
  const [verifierKey = ''] = await keysOf(registry.issuer)
  return { url: `${registry.issuer}/witness`, verifierKey, stop: () => registry.close() }
}

const found = findLitewitness()
if ('missing' in found) console.warn(`\n*** LITEWITNESS DID NOT RUN: ${found.missing} ***\n`)
const WITNESSES: [string, StartWitness | undefined][] = [
  ['credence', startCredence],
  ['litewitness', 'program' in found ? (folder, logs) => startLitewitness(found.program, folder, logs) : undefined],
]

describe.each(WITNESSES)('%s as a witness', (name, start) => {
  if (start === undefined) {
    test('NOT RUN: the program cannot be built here', () => expect(start).toBeUndefined())
    return
  }
  let folder: Awaited<ReturnType<typeof tempFolder>>
  let witness: Witness
  let log: TestLog
  let fork: TestLog
  beforeAll(async () => {
    folder = await tempFolder()
    log = await newTestLog('log.test/log/1')
    fork = await newTestLog(log.origin, log.signer, 'fork')
    witness = await start(folder.path, [log, await newTestLog('log.test/other')])
  })
  afterAll(async () => {
    await witness?.stop()
    await folder[Symbol.asyncDispose]()
  })
  const post = async (body: string) => {
    const response = await fetch(`${witness.url}/add-checkpoint`, { method: 'POST', body })
    return { status: response.status, type: response.headers.get('content-type'), text: await response.text() }
  }

  test('a checkpoint is cosigned, and so is one that extends it, with a signature that verifies', async () => {
    const key = readVerifierKey(witness.verifierKey, COSIGNER_KEY)
    if (typeof key === 'string') throw new Error(key)
    for (const [from, to] of [
      [0, 5],
      [5, 5],
      [5, 12],
      [12, 13],
    ] as const) {
      // biome-ignore format: pairs
      const { status, text } = await post(await log.bodyOf(from, to))
      expect(status, text).toBe(200)
      const note = await log.noteOf(to)
      expect(await findCosignature(note + text, key)).toMatchObject({ name: key.name, at: expect.any(Number), line: text })
      // Another text, or another time, has no valid cosignature
      expect(await findCosignature((await log.noteOf(to + 1)) + text, key)).toBeUndefined()
    }
  })
  test('409 names the size that was cosigned last', async () => {
    for (const old of [0, 12])
      expect(await post(await log.bodyOf(old, 14))).toMatchObject({ status: 409, type: 'text/x.tlog.size', text: '13\n' })
    // A log that was never cosigned has the size 0
    const fresh = await newTestLog('log.test/other')
    expect((await post(await fresh.bodyOf(0, 1))).status).toBe(403)
  })
  test('422 for a tree that does not extend the cosigned one, whatever its proof, and 409 for another tree of the same size', async () => {
    for (const size of [13, 14]) {
      const proof = await log.proofOf(13, size)
      const note = await fork.noteOf(size)
      // litewitness 0.9 answers 422 to both
      const expected = size === 13 && name !== 'litewitness' ? 409 : 422
      for (const lines of [proof, await fork.proofOf(13, size), []])
        expect((await post([`old 13`, ...lines, '', note].join('\n'))).status, `${size} ${lines.length}`).toBe(expected)
    }
    expect((await post(await log.bodyOf(13, 14))).status).toBe(200)
  })
  test('404 for the origin of another log; 403 without a valid signature of the log', async () => {
    const unknown = await newTestLog('log.test/unknown')
    expect((await post(await unknown.bodyOf(0, 1))).status).toBe(404)
    const thief = await newTestLog(log.origin)
    expect((await post(await thief.bodyOf(14, 15))).status).toBe(403)
    const body = await log.bodyOf(14, 15)
    expect((await post(body.replace('\n15\n', '\n16\n'))).status).toBe(403)
    // One wrong signature of the log's key spoils the checkpoint, also beside a right one
    const wrong = (await log.noteOf(16)).split('\n').at(-2)
    expect((await post(body.replace('\n— ', `\n${wrong}\n— `))).status).toBe(403)
  })
  test('400 for an old size beyond the checkpoint and for a body of another form', async () => {
    const body = await log.bodyOf(14, 15)
    for (const wrong of [
      (await log.bodyOf(0, 13)).replace('old 0', 'old 14'),
      '',
      'old',
      body.replace('old 14', 'old -14'),
      body.replace('old 14', 'new 14'),
      body.replace('old 14', `old 14\n${'A'.repeat(10)}`),
      body.replace('old 14', `old 14${`\n${'A'.repeat(43)}=`.repeat(64)}`),
    ])
      expect((await post(wrong)).status, wrong.slice(0, 30)).toBe(400)
  })
  if (name === 'litewitness') return

  test('a proof for the first checkpoint, and an empty tree with another root, get 422', async () => {
    const folder2 = await tempFolder()
    const other = await newTestLog('log.test/first')
    const second = await start(folder2.path, [other])
    const send = (body: string) => fetch(`${second.url}/add-checkpoint`, { method: 'POST', body })
    const first = await other.bodyOf(0, 4)
    expect((await send(first.replace('old 0', `old 0\n${'A'.repeat(43)}=`))).status).toBe(422)
    const forged = await signNote(`${other.origin}\n0\n${'A'.repeat(43)}=\n`, other.origin, [other.signer])
    expect((await send(`old 0\n\n${forged}`)).status).toBe(422)
    expect((await send(`old 0\n\n${await other.noteOf(0)}`)).status).toBe(200)
    expect((await send(first)).status).toBe(200)
    await second.stop()
    await folder2[Symbol.asyncDispose]()
  })
  test('of twenty requests at once for different trees one is cosigned, and the next request gets its size', async () => {
    const folder2 = await tempFolder()
    const other = await newTestLog('log.test/busy')
    const second = await start(folder2.path, [other])
    let size = 0
    // First of a log that was never cosigned, then of one that was
    for (const _ of ['first', 'next']) {
      const bodies = await Promise.all(Array.from({ length: 20 }, (_, i) => other.bodyOf(size, size + i + 1)))
      const answers = await Promise.all(bodies.map((body) => fetch(`${second.url}/add-checkpoint`, { method: 'POST', body })))
      const statuses = answers.map(({ status }) => status)
      expect(statuses.filter((status) => status === 200)).toHaveLength(1)
      expect(statuses.filter((status) => status === 409)).toHaveLength(19)
      size += statuses.indexOf(200) + 1
    }
    const late = await fetch(`${second.url}/add-checkpoint`, { method: 'POST', body: await other.bodyOf(0, 50) })
    expect([late.status, await late.text()]).toEqual([409, `${size}\n`])
    await second.stop()
    // After a restart the tree is still known
    const again: Served = await serve(configOf(folder2.path, await freePort(), [other]))
    const asked = await fetch(`${again.issuer}/witness/add-checkpoint`, { method: 'POST', body: await other.bodyOf(0, 50) })
    expect([asked.status, await asked.text()]).toEqual([409, `${size}\n`])
    await again.close()
    await folder2[Symbol.asyncDispose]()
  })
  test('a tree that was cosigned is still known after kill -9', async () => {
    await using own = await tempFolder()
    const other = await newTestLog('log.test/killed')
    const port = await freePort()
    const flags = [
      '--dev',
      '--data',
      join(own.path, 'witness'),
      '--port',
      `${port}`,
      '--admin-port',
      '0',
      '--cosign-for',
      other.verifierKey,
    ]
    const child = spawnNode(['dist/cli/main.js', 'serve', ...flags], { stdio: ['ignore', 'pipe', 'ignore'] })
    for await (const line of createInterface({ input: child.stdout })) if (line === 'serving') break
    const send = (body: string) => fetch(`http://127.0.0.1:${port}/witness/add-checkpoint`, { method: 'POST', body })
    expect((await send(await other.bodyOf(0, 7))).status).toBe(200)
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
    const again = await serve(configOf(own.path, port, [other]))
    const response = await send(await other.bodyOf(0, 9))
    expect([response.status, await response.text()]).toEqual([409, '7\n'])
    await again.close()
  })
  test('anyone can read the newest cosigned checkpoint of a log, with both signatures', async () => {
    const hash = createHash('sha256').update(log.origin).digest('hex')
    const note = await (await fetch(`${witness.url}/${hash}/checkpoint`)).text()
    const key = readVerifierKey(witness.verifierKey, COSIGNER_KEY)
    if (typeof key === 'string') throw new Error(key)
    expect(note).toContain((await log.noteOf(14)).trimEnd())
    expect(await findCosignature(note, key)).toBeDefined()
    expect((await fetch(`${witness.url}/${'0'.repeat(64)}/checkpoint`)).status).toBe(404)
  })
})
