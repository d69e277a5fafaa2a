import { expect, test } from 'vitest'
import { shardDeployment } from '../../src/deployment.js'
import { faultOfServer, soundReleaseFor } from '../../src/storage/mongo/connect.js'
import { openMongo } from '../../src/storage/mongo/open.js'
import { setClock } from '../set-clock.js'

const open = (url: string) => openMongo({ url, clock: setClock(), instance: 'one', warn: () => undefined })

test('a server that is away is a refusal that names it, and no credentials', async () => {
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
])('a URL that asks for %s is refused before anything is asked', async (weaker) => {
  await expect(open(`mongodb://127.0.0.1:9,127.0.0.1:10/credence?${weaker}`)).rejects.toMatchObject({
    reason: 'bad_input',
    message: expect.stringContaining('keeps what is promised'),
  })
})

test('a password that is not encoded and looks like an option is not shown', async () => {
  const refused = await open('mongodb://olga:a?w=secret@127.0.0.1:9/credence').catch((error: unknown) => error)
  expect(refused).toMatchObject({ reason: 'bad_input' })
  expect(String(refused)).not.toContain('secret')
})

test('a URL that asks for compression by zlib is refused', async () => {
  const zlib = open('mongodb://127.0.0.1:9/credence?compressors=snappy,zlib')
  await expect(zlib).rejects.toMatchObject({ reason: 'bad_input', message: expect.stringContaining('zlib') })
})

test.each([
  ['no host', 'mongodb://olga:secret@/credence'],
  ['a password that is not encoded', 'mongodb://olga:secret@home@127.0.0.1:9/credence'],
  ['a password with a slash', 'mongodb://olga:secret/home@127.0.0.1:9/credence'],
  ['an option that nobody knows', 'mongodb://olga:secret@127.0.0.1:9/credence?secret=1'],
  ['a value that the driver does not take', 'mongodb://olga:secret@127.0.0.1:9/credence?tls=secret'],
  ['another scheme', 'postgres://olga:secret@127.0.0.1:9/credence'],
])('a URL with %s is refused, and not shown', async (_, url) => {
  const refused = await open(url).catch((error: unknown) => error)
  expect(refused).toMatchObject({ reason: 'bad_input', message: expect.stringContaining('the storage URL cannot be read') })
  expect(String(refused)).not.toContain('secret')
})

test.each(['credence', 'mongodb://a/%zz'])('no commands for shards of %s', (url) => {
  expect(() => shardDeployment(url)).toThrow('the storage URL cannot be read')
})

const MEMBER = { setName: 'rs0' }
test.each([
  ['a member of a replica set', MEMBER, '8.0.17', undefined],
  ['a router of shards', { msg: 'isdbgrid' }, '7.0.28', undefined],
  ['a server alone', {}, '8.0.17', 'is not a replica set'],
  ['a server of another kind', { msg: 'hello' }, '8.0.17', 'is not a replica set'],
  ['a release before 7.0', MEMBER, '6.0.27', 'MongoDB 6.0.27 is too old'],
  ['the first of 7.0', MEMBER, '7.0.0', undefined],
  ['a release with two digits', MEMBER, '10.0.0', undefined],
  ['no version', MEMBER, undefined, 'is too old'],
])('%s is taken, or told why not', (_, hello, version, fault) => {
  expect(faultOfServer(hello, { version })).toEqual(fault === undefined ? undefined : expect.stringContaining(fault))
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
])('MongoDB %s: upgrade to %s', (version, upgradeTo) => {
  expect(soundReleaseFor({ version })).toBe(upgradeTo)
})
