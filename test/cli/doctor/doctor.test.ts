// `credence doctor` against a healthy registry, and against each fault that it must name.
import { execFile } from 'node:child_process'
import { chmod, mkdir, statfs, writeFile } from 'node:fs/promises'
import { createServer, type RequestListener, request, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { type Check, tryCheck } from '../../../src/cli/doctor/check.js'
import { checkDns, checkTls, checkUpgrade } from '../../../src/cli/doctor/connection.js'
import { checkMachine } from '../../../src/cli/doctor/local.js'
import { checkRegistry } from '../../../src/cli/doctor/remote.js'
import { clientClock } from '../../../src/lib/clock.js'
import { parseConfig } from '../../../src/server/config.js'
import { type Registry as Served, serve } from '../../../src/server/main.js'
import { version } from '../../../src/server/stores.js'
import { freePort } from '../../free-port.mjs'
import { newCertificate } from '../../lib/guarded-fetch/new-certificate.js'
import { tempFolder } from '../../storage/open-store.js'
import { runCommand } from '../command-line.js'

let folder: Awaited<ReturnType<typeof tempFolder>>
let registry: Served
let port: number
const configOf = (more: object = {}) =>
  parseConfig({ dev: true, logLevel: 'silent', dataDirectory: join(folder.path, 'data'), port, ...more }, undefined, {})
beforeAll(async () => {
  folder = await tempFolder()
  port = await freePort()
  registry = await serve(configOf({ adminPort: 0 }))
})
afterAll(async () => {
  await registry.close()
  await folder[Symbol.asyncDispose]()
})

const remote = (more: Partial<Parameters<typeof checkRegistry>[0]> = {}) =>
  checkRegistry({ issuer: registry.issuer, clock: clientClock, version, cosigners: [], ...more })
const named = (checks: readonly Check[], name: string): Check | undefined => checks.find(({ check }) => check === name)
const states = (checks: readonly Check[]) => Object.fromEntries(checks.map(({ check, state }) => [check, state]))
/** Every line that is not `ok` says what to do. */
const expectAdvice = (checks: readonly Check[]) => expect(checks.filter(({ state, todo }) => state !== 'ok' && !todo?.trim())).toEqual([])

async function run(...args: readonly string[]): Promise<{ readonly code: number; readonly out: string }> {
  const { code, out, err } = await runCommand(['doctor', ...args])
  return { code, out: out + err }
}
async function listening(server: Server): Promise<AsyncDisposable & { readonly port: number }> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const close = async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
  return { port: (server.address() as AddressInfo).port, [Symbol.asyncDispose]: close }
}
/** The check `tls` of a program that trusts this authority. */
async function tlsOf(at: number, authority: string): Promise<Check | undefined> {
  const ca = join(folder.path, 'ca.pem')
  await writeFile(ca, authority)
  const args = ['dist/cli/main.js', 'doctor', '--registry', `https://localhost:${at}`, '--json']
  const env = { ...process.env, NODE_EXTRA_CA_CERTS: ca }
  const out = await new Promise<string>((resolve) => execFile(process.execPath, args, { env }, (_, stdout) => resolve(stdout)))
  return named((JSON.parse(out) as { checks: Check[] }).checks, 'tls')
}
/** A proxy that forwards requests, and upgrades as plain requests. */
const forward: RequestListener = ({ method, url, headers: { upgrade, connection, ...headers } }, response) =>
  request({ port, method, path: url, headers }, (answered) => {
    response.writeHead(answered.statusCode ?? 500, answered.headers)
    answered.pipe(response)
  }).end()
/** A further registry. */
async function startedWith(settings: object): Promise<Served & AsyncDisposable> {
  const data = await tempFolder()
  const served = await serve(configOf({ dataDirectory: data.path, port: await freePort(), adminPort: 0, ...settings }))
  const close = async () => {
    await served.close()
    await data[Symbol.asyncDispose]()
  }
  return { ...served, [Symbol.asyncDispose]: close }
}

describe('a healthy registry', () => {
  test('every check is ok, for a stranger and on the machine, and the exit code is 0', async () => {
    const admin = new URL(registry.adminUrl).port
    await writeFile(
      join(folder.path, 'config.json'),
      JSON.stringify({ dataDirectory: join(folder.path, 'data'), adminPort: Number(admin) }),
    )
    const stranger = await run('--registry', registry.issuer)
    expect(stranger.code, stranger.out).toBe(0)
    expect(stranger.out).toContain('ok    websocket     a handshake reaches the registry')
    const operator = await run('--registry', registry.issuer, '--config', join(folder.path, 'config.json'), '--json')
    const { ok, checks } = JSON.parse(operator.out) as { ok: boolean; checks: Check[] }
    expect([operator.code, ok]).toEqual([0, true])
    expect(checks.map(({ check }) => check)).toEqual(
      'dns tls issuer clock websocket version jwks log cosignatures node data disk permissions database ready witness'.split(' '),
    )
    // The disk of a test machine may be almost full
    expect(checks.filter(({ check, state }) => check !== 'disk' && state !== 'ok')).toEqual([])
  })
  test('without a registry or data, and for a URL that is not encrypted, it says what it needs', async () => {
    expect(await run()).toMatchObject({ code: 2, out: expect.stringContaining('name a registry (--registry)') })
    expect(await run('--registry', 'http://registry.example')).toMatchObject({ code: 1, out: expect.stringContaining('is not encrypted') })
    expect(await run('--registri', 'x')).toMatchObject({ code: 2, out: expect.stringContaining("unknown option '--registri'") })
  })
})

describe('from outside', () => {
  test.each([
    [600, 'fail', /10 minutes ahead of/],
    [-600, 'fail', /10 minutes behind/],
    // A busy machine takes a while between the response and the check
    [20, 'warn', /2\d seconds ahead of/],
  ])('a clock that is %s s ahead: %s', async (seconds, state, text) => {
    const checks = await remote({ clock: { ...clientClock, now: () => clientClock.now() + seconds } })
    expect(named(checks, 'clock')).toMatchObject({ state, text: expect.stringMatching(text) })
    expectAdvice(checks)
  })
  test('an issuer that does not match the URL', async () => {
    const checks = await remote({ issuer: `http://127.0.0.1:${port}` })
    expect(named(checks, 'issuer')).toMatchObject({ state: 'fail', todo: expect.stringContaining(`Use ${registry.issuer}`) })
    expect(named(checks, 'log')).toBeUndefined()
  })
  test('a proxy that drops upgrades, and one that never answers them', async () => {
    await using dropping = await listening(createServer(forward))
    const dropped = await checkUpgrade(clientClock, new URL(`http://127.0.0.1:${dropping.port}`))
    expect(dropped).toMatchObject({ state: 'fail', text: expect.stringContaining('status 404'), todo: expect.stringContaining('Upgrade') })
    const sockets: Duplex[] = []
    const silent = createServer(forward).on('upgrade', (_, socket) => sockets.push(socket))
    await using hanging = await listening(silent)
    const hung = await checkUpgrade(clientClock, new URL(`http://127.0.0.1:${hanging.port}`))
    expect(hung).toMatchObject({ state: 'fail', text: expect.stringContaining('got no response') })
    for (const socket of sockets) socket.destroy()
  })
  test('a server that accepts the handshake: the connection is closed', async () => {
    const sockets: Duplex[] = []
    const accepting = createServer(forward).on('upgrade', (_, socket) => {
      // It keeps its side open until the other side ends
      sockets.push(
        socket
          .on('error', () => undefined)
          .on('end', () => socket.end())
          .resume(),
      )
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
    })
    await using server = await listening(accepting)
    const accepted = await checkUpgrade(clientClock, new URL(`http://127.0.0.1:${server.port}`))
    expect(accepted).toMatchObject({ state: 'fail', text: expect.stringContaining('status 101') })
    await expect.poll(() => sockets.map(({ destroyed }) => destroyed)).toEqual([true])
  })
  test('a name without an address, and a port on which nothing listens', async () => {
    expect(await checkDns(new URL('https://registry.invalid'))).toMatchObject({ state: 'fail' })
    const checks = await remote({ issuer: `http://127.0.0.1:${await freePort()}` })
    expect(states(checks)).toEqual({ dns: 'ok', tls: 'ok', http: 'fail' })
    expectAdvice(checks)
  })
  test('a server that is not a registry', async () => {
    await using other = await listening(createServer((_, response) => response.end('<html>')))
    const checks = await remote({ issuer: `http://127.0.0.1:${other.port}` })
    expect(named(checks, 'issuer')).toMatchObject({ state: 'fail', text: expect.stringContaining('without the metadata of a registry') })
  })
  test('another version, and a witness that has not cosigned', async () => {
    const checks = await remote({ version: '9.9.9', cosigners: ['w.test+00000000+AAAA'] })
    expect(named(checks, 'version')).toMatchObject({ state: 'warn' })
    expect(named(checks, 'cosignatures')).toMatchObject({ state: 'fail' })
    expectAdvice(checks)
  })
  test.each([
    ['has expired', '20210101000000Z', 'localhost', /CERT_HAS_EXPIRED/],
    ['signs itself', '21200101000000Z', 'localhost', /SELF_SIGNED/],
  ])('a certificate that %s', async (_, until, name, text) => {
    await using server = await listening(createTlsServer(newCertificate([name], until), forward))
    const tls = await checkTls(clientClock, new URL(`https://localhost:${server.port}`))
    expect(tls).toMatchObject({ state: 'fail', text: expect.stringMatching(text), todo: expect.stringMatching(/\w/) })
  })
  test('a certificate of a known authority: good, about to expire, and for another name', async () => {
    const day = new Date((clientClock.now() + 5 * 86_400) * 1000).toISOString().replace(/[-:T]/g, '').slice(0, 14)
    const cases = [
      [newCertificate(['localhost']), 'ok'],
      [newCertificate(['localhost'], `${day}Z`), 'warn'],
      [newCertificate(['other.test']), 'fail'],
    ] as const
    for (const [certificate, state] of cases) {
      await using server = await listening(createTlsServer(certificate, forward))
      expect(await tlsOf(server.port, certificate.cert)).toMatchObject({ state })
    }
    // Of a longer chain, the authority between the root and the one that signed
    const root = newCertificate(['root.test'])
    const upper = newCertificate(['upper.test'], `${day}Z`, root)
    const lower = newCertificate(['lower.test'], undefined, upper)
    const leaf = newCertificate(['localhost'], undefined, lower)
    const chain = { key: leaf.key, cert: [leaf, lower, upper].map(({ cert }) => cert).join('') }
    await using server = await listening(createTlsServer(chain, forward))
    expect(await tlsOf(server.port, root.cert)).toMatchObject({
      state: 'warn',
      text: expect.stringMatching(/^the certificate upper\.test of its chain expires in [45] days .*chain of 4/),
    })
  })
  test('an error without a class name, and the form of a response in words', async () => {
    const checks = await remote({ cosigners: ['w.test+00000000+AAAA'] })
    expect(named(checks, 'cosignatures')?.text).toMatch(/^(?!\w*Error\b)/)
    const tls = await tryCheck('tls', 'todo', () => checkTls(clientClock, new URL(`https://localhost:${port}`)))
    expect(tls).toMatchObject({ state: 'fail', text: expect.stringMatching(/^(?!\w*Error\b)\w/) })
    const hung = await checkUpgrade(clientClock, new URL(`http://localhost:${await freePort()}`))
    expect(hung.text).toMatch(/got no response: connect ECONNREFUSED/)
    const odd = await tryCheck('log', 'todo', async () => Promise.reject(z.object({ entries: z.string() }).safeParse({}).error))
    expect(odd.text).toMatch(/^the response is not in the expected form: .*entries/)
  })
})

describe('on the machine', () => {
  const spaceOf = (change: object) => async (path: string) => ({ ...(await statfs(path)), ...change })
  const full = { bsize: 4096, blocks: 1_000_000, files: 1000, ffree: 500 }
  test.each([
    ['a full disk', { ...full, bavail: 10 }, 'fail'],
    ['a disk without inodes', { ...full, bavail: 900_000, ffree: 0 }, 'fail'],
    ['a disk with 351 MiB', { ...full, bavail: 90_000 }, 'warn'],
    ['a disk with 9 % of room', { ...full, blocks: 10_000_000, bavail: 900_000 }, 'warn'],
    ['a disk with room', { ...full, blocks: 10_000_000, bavail: 5_000_000 }, 'ok'],
  ])('%s', async (_, change, state) => {
    const config = configOf({ adminPort: Number(new URL(registry.adminUrl).port) })
    const checks = await checkMachine(clientClock, config, spaceOf(change))
    expect(named(checks, 'disk')).toMatchObject({ state })
    expect(named(checks, 'ready')).toMatchObject({ state: 'ok' })
    expectAdvice(checks)
  })
  test('a store that others can read, a registry that does not run, and a missing folder', async () => {
    const file = join(folder.path, 'data', 'credence.db')
    await chmod(file, 0o644)
    const checks = await checkMachine(clientClock, configOf({ adminPort: await freePort() }))
    expect(named(checks, 'permissions')).toMatchObject({ state: 'fail', todo: `chmod 600 ${file}` })
    expect(named(checks, 'ready')).toMatchObject({ state: 'warn' })
    await chmod(file, 0o600)
    expect(states(await checkMachine(clientClock, configOf({ dataDirectory: join(folder.path, 'none') })))).toMatchObject({
      data: 'fail',
      database: 'fail',
    })
  })
  test('an admin port on another address is named as it is, and one on all addresses is asked on loopback', async () => {
    await using started = await startedWith({ adminHost: '127.0.0.2' })
    expect(started.adminUrl).toMatch(/^http:\/\/127\.0\.0\.2:/)
    const adminPort = Number(new URL(started.adminUrl).port)
    const ready = async (adminHost: string) => named(await checkMachine(clientClock, configOf({ adminPort, adminHost })), 'ready')
    expect(await ready('127.0.0.2')).toMatchObject({ state: 'ok' })
    expect(await ready('127.0.0.1')).toMatchObject({ text: `nothing answers at http://127.0.0.1:${adminPort}/readyz` })
    await using open = await startedWith({ adminHost: '0.0.0.0' })
    const openPort = Number(new URL(open.adminUrl).port)
    expect(open.adminUrl).toBe(`http://0.0.0.0:${openPort}`)
    expect(named(await checkMachine(clientClock, configOf({ adminPort: openPort, adminHost: '0.0.0.0' })), 'ready')).toMatchObject({
      state: 'ok',
    })
  })
  test('a file in the place of the data directory is named in words', async () => {
    const file = join(folder.path, 'a-file')
    await writeFile(file, '')
    for (const dataDirectory of [file, join(file, 'data')]) {
      const checks = await checkMachine(clientClock, configOf({ dataDirectory, adminPort: await freePort() }))
      expect([named(checks, 'data')?.state, named(checks, 'database')?.state]).toEqual(['fail', 'fail'])
      expect(JSON.stringify(checks)).not.toMatch(/ENOTDIR/)
    }
  })
  test('a file that is not the store of a registry', async () => {
    const other = join(folder.path, 'other')
    await mkdir(other)
    await writeFile(join(other, 'credence.db'), 'text')
    expect(named(await checkMachine(clientClock, configOf({ dataDirectory: other })), 'database')).toMatchObject({ state: 'fail' })
  })
  test('a witness that remembers an entry that the log lacks, and one of another epoch', async () => {
    const head = { epoch: `epo:${'A'.repeat(22)}`, seq: 3, hash: 'A'.repeat(43), pastEpochs: [] }
    const witness = join(folder.path, 'other-witness.json')
    await writeFile(witness, JSON.stringify(head), { mode: 0o600 })
    const args = ['--registry', registry.issuer, '--data', join(folder.path, 'data'), '--witness', witness, '--json']
    const other = JSON.parse((await run(...args)).out) as { checks: Check[] }
    expect(named(other.checks, 'witness')).toMatchObject({ state: 'fail', text: expect.stringContaining('another epoch') })
    const { asOf } = (await (await fetch(`${registry.issuer}/log/entries?limit=0`)).json()) as { asOf: string }
    await writeFile(witness, JSON.stringify({ ...head, epoch: asOf.split('.')[0] }), { mode: 0o600 })
    const { checks } = JSON.parse((await run(...args)).out) as { checks: Check[] }
    expect(named(checks, 'witness')).toMatchObject({ state: 'fail', text: expect.stringContaining('an old copy is served') })
  })
})
