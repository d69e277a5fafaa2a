// A registry whose log is cosigned: by another registry, by litewitness, and beside them a witness that never answers.
import { execFile } from 'node:child_process'
import { copyFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { fetchRegistryKeys, isConsistent, readCheckpoint, readCosignedCheckpoint, readVerifierKeys } from '../../../src/client/index.js'
import { verifierKeyOf } from '../../../src/credentials/cosignature.js'
import { newPrivateJwk, signerFromJwk } from '../../../src/credentials/jose/sign.js'
import { COSIGNER_KEY } from '../../../src/credentials/signed-note.js'
import { parseConfig } from '../../../src/server/config.js'
import { type Registry as Served, serve } from '../../../src/server/main.js'
import { addCheckpointBody } from '../../../src/trust-log/cosignatures/request.js'
import { awakeMs } from '../../awake-time.js'
import { freePort } from '../../free-port.mjs'
import { type Actor, type Cast, newCast } from '../../registry.js'
import { tempFolder } from '../../storage/open-store.js'
import { findLitewitness, type Litewitness, startLitewitness } from './litewitness.js'

const found = findLitewitness()
if ('missing' in found) console.warn(`\n*** LITEWITNESS DID NOT RUN: ${found.missing} ***\n`)

let folder: Awaited<ReturnType<typeof tempFolder>>
let port: number
let registry: Served | undefined
let witness: Served
let litewitness: Litewitness | undefined
/** The URLs and verifier keys of the witnesses. */
let witnesses: { readonly url: string; readonly key: string }[]
let cast: Cast
let acme: Actor
const silent = createServer(() => undefined)

const file = (name: string) => join(folder.path, name)
const start = async (cosigners: readonly string[], more: object = {}): Promise<Served> => {
  const flags = { dev: true, logLevel: 'silent', adminPort: 0, witness: false, cosigners, ...more }
  return serve(parseConfig({ dataDirectory: file('a'), port, ...flags }, undefined, {}))
}
const stop = async () => {
  await registry?.close()
  registry = undefined
}
const sourceOf = async (issuer = `http://localhost:${port}`) => ({ issuer, keys: await fetchRegistryKeys(issuer, 'log') })
const settings = () => witnesses.map(({ url, key }) => `${url},${key}`)
const keys = () => witnesses.map(({ key }) => key)
const growLog = async (): Promise<void> => {
  await cast.agent({ registeredBy: acme })
}
const cosigned = async () => readCosignedCheckpoint(await sourceOf(), keys())
const isCosignedUpToDate = () =>
  expect
    .poll(
      async () => {
        const newest = await readCheckpoint(await sourceOf())
        return cosigned().then(
          ({ size }) => size === newest.size,
          () => false,
        )
      },
      { timeout: 15_000, interval: 200 },
    )
    .toBe(true)
/** What /readyz and the metrics say of cosigners that do not sign. */
const reportOf = async () => {
  const text = async (path: string) => (await fetch(`${registry?.adminUrl}${path}`)).text()
  const [readyz, metrics] = [await text('/readyz'), await text('/metrics')]
  const counts = ['failing', 'disputing'].map((name) => Number(new RegExp(`^credence_cosigners_${name} (\\d+)$`, 'm').exec(metrics)?.[1]))
  return { readyz, counts }
}
/** `count` witnesses say that they know another history, for this reason. */
const isDisputedBy = async (count: number, reason: RegExp): Promise<void> => {
  await expect.poll(async () => (await reportOf()).counts, { interval: 200 }).toEqual([count, count])
  const [first, ...warnings] = (await reportOf()).readyz.trim().split('\n')
  expect([first, warnings.length]).toEqual(['ok', count])
  for (const line of warnings) expect(line).toMatch(reason)
}

beforeEach(async () => {
  folder = await tempFolder()
  port = await freePort()
  registry = await start([])
  const { origin, log } = await readVerifierKeys(await sourceOf())
  expect(origin).toMatch(/^localhost:\d+\/log\/epo:/)
  expect(log).toHaveLength(1)
  cast = await newCast({ issuer: registry.issuer, firstCode: registry.firstCode ?? '' })
  acme = await cast.organisation('Acme')
  await stop()
  witness = await start([], { dataDirectory: file('b'), port: await freePort(), cosignFor: log })
  const [key = ''] = (await readVerifierKeys(await sourceOf(witness.issuer))).witness
  witnesses = [{ url: `${witness.issuer}/witness`, key }]
  if ('program' in found) {
    litewitness = await startLitewitness(found.program, folder.path, [{ origin, verifierKey: log[0] ?? '' }])
    witnesses.push({ url: litewitness.url, key: litewitness.verifierKey })
  }
})
afterEach(async () => {
  await stop()
  await witness.close()
  await litewitness?.stop()
  await folder[Symbol.asyncDispose]()
})

test('the checkpoints of a log that grows are cosigned by every witness, also after a restart, and the command line checks it', async () => {
  registry = await start(settings())
  await isCosignedUpToDate()
  const first = await cosigned()
  expect(first.cosignatures.map(({ at }) => Math.abs(Date.now() / 1000 - at) < 60)).toEqual(keys().map(() => true))
  await growLog()
  await isCosignedUpToDate()
  const second = await cosigned()
  expect(second.size).toBeGreaterThan(first.size)
  expect(await isConsistent(await sourceOf(), first, second)).toBe(true)
  // The newest checkpoint carries the cosignatures too
  expect((await readCheckpoint(await sourceOf())).note).toContain(second.note.split('\n').at(-2))
  await stop()
  registry = await start(settings())
  expect((await cosigned()).size).toBe(second.size)
  await growLog()
  await isCosignedUpToDate()

  const verify = (...cosigners: readonly string[]) => {
    const args = ['log', 'verify', '--registry', registry?.issuer ?? '', '--json', ...cosigners.flatMap((key) => ['--cosigner', key])]
    return promisify(execFile)(process.execPath, ['dist/cli/main.js', ...args])
  }
  expect(JSON.parse((await verify(...keys())).stdout)).toMatchObject({ verified: true, cosigned: { by: keys().map(() => ({})) } })
  const stranger = await signerFromJwk(await newPrivateJwk('EdDSA'))
  await expect(verify(verifierKeyOf('stranger.test', stranger.publicJwk, COSIGNER_KEY))).rejects.toThrow('stranger.test has not cosigned')
  await expect(verify('stranger.test+00000000+AAAA')).rejects.toThrow('must be an Ed25519 key for cosignatures')
})

test('a forked history is not cosigned: an old copy of the store that is served again, and grows past the cosigned size', async () => {
  await copyFile(file('a/credence.db'), file('backup.db'))
  registry = await start(settings())
  await growLog()
  await isCosignedUpToDate()
  const before = await cosigned()
  await stop()
  await copyFile(file('backup.db'), file('a/credence.db'))
  registry = await start([])
  for (let i = 0; i < 4; i++) await growLog()
  const newest = await readCheckpoint(await sourceOf())
  expect(newest.size).toBeGreaterThan(before.size)
  expect(await isConsistent(await sourceOf(), before, newest)).toBe(false)
  const { hashes } = (await (await fetch(`${registry.issuer}/log/consistency?from=${before.size}`)).json()) as { hashes: string[] }
  for (const { url } of witnesses) {
    const body = addCheckpointBody(before.size, hashes, newest.note)
    expect((await fetch(`${url}/add-checkpoint`, { method: 'POST', body })).status).toBe(422)
  }
  // The registry itself asks too, and gets no cosignature
  await stop()
  registry = await start(settings())
  await growLog()
  await expect(cosigned()).rejects.toMatchObject({ reason: 'unavailable' })
  await isDisputedBy(keys().length, /says that the log does not extend the tree of \d+ entries/)
})

test('an old copy of the store that is smaller than the cosigned tree is reported, and the registry goes on', async () => {
  await copyFile(file('a/credence.db'), file('backup.db'))
  registry = await start(settings())
  for (let i = 0; i < 4; i++) await growLog()
  await isCosignedUpToDate()
  await stop()
  await copyFile(file('backup.db'), file('a/credence.db'))
  registry = await start(settings())
  await isDisputedBy(keys().length, /has cosigned a tree of \d+ entries, but the log has only \d+/)
  expect((await fetch(`${registry.adminUrl}/livez`)).status).toBe(200)
})

describe('a witness that does not answer', () => {
  test('delays neither requests nor the cosignatures of the others', async () => {
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
    const address = silent.address()
    const hanging = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`
    const stranger = await signerFromJwk(await newPrivateJwk('EdDSA'))
    registry = await start([...settings(), `${hanging},${verifierKeyOf('hanging.test', stranger.publicJwk, COSIGNER_KEY)}`])
    const began = awakeMs()
    await growLog()
    expect(awakeMs() - began).toBeLessThan(4000)
    await isCosignedUpToDate()
    await expect.poll(async () => (await reportOf()).counts, { interval: 200 }).toEqual([1, 0])
    expect((await reportOf()).readyz).toMatch(new RegExp(`^ok\nwarning: no cosignature of ${hanging} for \\d+ s: cannot fetch`))
    await stop()
    silent.closeAllConnections()
    await new Promise((resolve) => silent.close(resolve))
  })
})

test.each([
  ['http://witness.example,witness.example+00000000+AAAA', 'must be an Ed25519 key for cosignatures'],
  ['witness.example', 'must be <url>,<verifier key>'],
  ['https://witness.example', 'must be <url>,<verifier key>'],
])('the setting cosigners refuses %s', (setting, text) => {
  expect(() => parseConfig({ dev: true, cosigners: [setting] }, undefined, {})).toThrow(text)
})
