import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { expect, test } from 'vitest'
import { shardCommands } from '../../../src/storage/mongo/admin/shard-commands.js'
import { openMongo } from '../../../src/storage/mongo/open.js'
import { connect, patchedReleaseFor, unsupportedReason } from '../../../src/storage/mongo/session/connect.js'
import { freePort } from '../../free-port.mjs'
import { setClock } from '../../set-clock.js'
import { findMongod, HOW, mongodProgram } from '../find-mongod.mjs'
import { hasMongod, startMongod } from '../open-mongo.js'
import { tempFolder } from '../open-store.js'

const open = (url: string) => openMongo({ url, clock: setClock(), instance: 'one', warn: () => undefined })

test('the refusal for an unreachable server names the server and no credentials', async () => {
  const refused = await open('mongodb://olga:secret@127.0.0.1:9/credence').catch((error: unknown) => error)
  expect(refused).toMatchObject({ reason: 'unavailable', message: expect.stringContaining('127.0.0.1:9') })
  expect(String(refused)).not.toContain('secret')
})

test.each([
  'w=1',
  'journal=false',
  'j=false',
  'readPreference=secondary',
  'readConcernLevel=local',
  'retryWrites=false',
  'retryReads=false',
  'wtimeoutMS=1',
  'raw=true',
  'promoteValues=false',
  'tlsInsecure=true',
  'tlsAllowInvalidCertificates=true',
])('a URL with %s is refused before a connection is made', async (weaker) => {
  await expect(open(`mongodb://127.0.0.1:9,127.0.0.1:10/credence?${weaker}`)).rejects.toMatchObject({
    reason: 'bad_input',
    message: expect.stringContaining('the only value that is safe'),
  })
})

test('a password that is not encoded and looks like an option does not appear in the message', async () => {
  const refused = await open('mongodb://olga:a?w=secret@127.0.0.1:9/credence').catch((error: unknown) => error)
  expect(refused).toMatchObject({ reason: 'bad_input' })
  expect(String(refused)).not.toContain('secret')
})

test('a URL with zlib compression is refused', async () => {
  const zlib = open('mongodb://127.0.0.1:9/credence?compressors=snappy,zlib')
  await expect(zlib).rejects.toMatchObject({ reason: 'bad_input', message: expect.stringContaining('zlib') })
})

test.each([
  ['no host', 'mongodb://olga:secret@/credence'],
  ['a password that is not encoded', 'mongodb://olga:secret@home@127.0.0.1:9/credence'],
  ['a password with a slash', 'mongodb://olga:secret/home@127.0.0.1:9/credence'],
  ['an unknown option', 'mongodb://olga:secret@127.0.0.1:9/credence?secret=1'],
  ['an invalid value of an option', 'mongodb://olga:secret@127.0.0.1:9/credence?tls=secret'],
  ['another scheme', 'postgres://olga:secret@127.0.0.1:9/credence'],
])('a URL with %s is refused and does not appear in the message', async (_, url) => {
  const refused = await open(url).catch((error: unknown) => error)
  expect(refused).toMatchObject({ reason: 'bad_input', message: expect.stringContaining('the store URL is invalid') })
  expect(String(refused)).not.toContain('secret')
})

test.each([
  'mongodb://127.0.0.1:9',
  'mongodb://127.0.0.1:9/',
  'mongodb://127.0.0.1:9/?replicaSet=rs0',
])('%s is refused because it names no database', async (url) => {
  await expect(open(url)).rejects.toMatchObject({ reason: 'bad_input', message: expect.stringContaining('names no database') })
})

const binary = findMongod()?.uri === undefined ? findMongod() : undefined
test.skipIf(binary === undefined).each([
  ['outside a replica set', []],
  ['of a set that was not initiated', ['--replSet', 'rs0']],
])(`a server %s is refused with the command that initiates a set (${binary ? 'started here' : HOW})`, async (_, more) => {
  await using folder = await tempFolder()
  const { startServer }: { startServer(options: object): Promise<ChildProcess> } = await import(`../../prove/mongo/${'replica-set'}.mjs`)
  const port = await freePort()
  const server = await startServer({ program: await mongodProgram(), folder: folder.path, port, more })
  try {
    for (const options of ['', '?replicaSet=rs0'])
      await expect(open(`mongodb://127.0.0.1:${port}/credence${options}`)).rejects.toMatchObject({
        reason: 'unavailable',
        message: expect.stringContaining('rs.initiate()'),
      })
  } finally {
    const exited = once(server, 'exit')
    server.kill('SIGKILL')
    await exited
  }
})

test.each(['credence', 'mongodb://a/%zz'])('shard commands for the invalid URL %s are refused', (url) => {
  expect(() => shardCommands(url, [])).toThrow('the store URL is invalid')
})

const MEMBER = { setName: 'rs0' }
test.each([
  ['a member of a replica set', MEMBER, '8.0.17', undefined],
  ['a router of a sharded cluster', { msg: 'isdbgrid' }, '7.0.28', undefined],
  ['a server outside a replica set', {}, '8.0.17', 'is not a replica set'],
  ['a server with an unknown message', { msg: 'hello' }, '8.0.17', 'is not a replica set'],
  ['a release before 7.0', MEMBER, '6.0.27', 'MongoDB 6.0.27 is not supported'],
  ['the first release of 7.0', MEMBER, '7.0.0', undefined],
  ['a two-digit release', MEMBER, '10.0.0', undefined],
  ['no version', MEMBER, undefined, 'is not supported'],
])('%s is accepted, or refused with the reason', (_, hello, version, reason) => {
  expect(unsupportedReason(hello, { version })).toEqual(reason === undefined ? undefined : expect.stringContaining(reason))
})

test.each([
  ['7.0.27', '7.0.28'],
  ['7.0.28', undefined],
  ['8.0.0-rc1', '8.0.17'],
  ['8.0.9', '8.0.17'],
  ['8.0.17', undefined],
  ['8.0.100', undefined],
  ['8.2.2', '8.2.3'],
  ['8.3.0', undefined],
])('for MongoDB %s the release to upgrade to is %s', (version, upgradeTo) => {
  expect(patchedReleaseFor({ version })).toBe(upgradeTo)
})

test.skipIf(!hasMongod)('maxPoolSize of the URL replaces the default size of the pool', async () => {
  const mongod = await startMongod()
  const sizeOf = async (url: string) => {
    const client = await connect({ url, warn: () => undefined })
    await client.close()
    return client.options.maxPoolSize
  }
  const url = mongod.url().replace(/[?&]maxPoolSize=\d+/, '')
  expect(await sizeOf(url)).toBe(64)
  expect(await sizeOf(`${url}${url.includes('?') ? '&' : '?'}MaxPoolSize=7`)).toBe(7)
  await mongod[Symbol.asyncDispose]()
})
