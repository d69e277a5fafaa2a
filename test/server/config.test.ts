import { mkdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parseConfig, parseDataConfig } from '../../src/server/config.js'
import { tempFolder } from '../storage/open-store.js'

const pointersOf = (flags: Record<string, unknown>): string[] => {
  try {
    parseConfig(flags, undefined, {})
    return []
  } catch (error) {
    return String(error instanceof Error ? error.message : error)
      .split('; ')
      .map((line) => /configuration (\S+):/.exec(line)?.[1] ?? line)
  }
}

test('development mode on loopback needs no other option', () => {
  expect(parseConfig({ dev: true }, undefined, {})).toMatchObject({ host: '127.0.0.1', port: 4000, adminPort: 4001 })
})

test.each([
  ['a port out of range', { dev: true, port: 70_000 }, ['/port']],
  ['a port that is not a number', { dev: true, port: 'http' }, ['/port']],
  ['an unknown option', { dev: true, prot: 1 }, ['/']],
  ['an issuer with a path', { issuer: 'https://registry.example/a' }, ['/issuer']],
  ['an issuer with a trailing slash', { issuer: 'https://registry.example/' }, ['/issuer']],
  ['a missing issuer outside development mode', {}, ['/issuer']],
  ['an http issuer outside development mode', { issuer: 'http://registry.example' }, ['/issuer']],
  ['a limit of zero', { dev: true, limits: { openTasks: 0 } }, ['/limits/openTasks']],
  ['an unknown limit', { dev: true, limits: { cards: 1 } }, ['/limits']],
  ['an unknown mode of outgoing requests', { dev: true, outgoing: 'on' }, ['/outgoing/mode']],
  ['a list of servers without a mode', { dev: true, outgoing: { allow: ['a.acme.com:443'] } }, ['/outgoing/mode']],
  ['an empty list of servers', { dev: true, outgoing: 'allowlist' }, ['/outgoing']],
  ['a list of servers with outgoing requests off', { dev: true, outgoing: { mode: 'off', allow: ['a.acme.com:443'] } }, ['/outgoing']],
  [
    'a server without a port',
    { dev: true, outgoing: { mode: 'public', allow: ['a.acme.com', 'https://a.acme.com:443'] } },
    ['/outgoing/allow/0', '/outgoing/allow/1'],
  ],
  ['checks of cards without outgoing requests', { dev: true, outgoing: 'off', freshness: 'daily' }, ['/freshness']],
  ['a public host in development mode', { dev: true, host: '0.0.0.0' }, ['/host']],
  ['a public issuer in development mode', { dev: true, issuer: 'http://registry.example' }, ['/issuer']],
  ['a proxy that is not an address', { dev: true, trustedProxies: ['10.0.0.1', 'loopback'] }, ['/trustedProxies/1']],
  ['a proxy range with too many bits', { dev: true, trustedProxies: ['10.0.0.0/33'] }, ['/trustedProxies/0']],
  ['an http witness outside development mode', { issuer: 'https://a.example', witness: 'http://b.example' }, ['/witness']],
  ['a public http witness in development mode', { dev: true, witness: 'http://b.example' }, ['/witness']],
  ['a witness with a trailing slash', { issuer: 'https://a.example', witness: 'https://b.example/' }, ['/witness']],
  ['no witness outside development mode', { issuer: 'https://a.example' }, ['/witness']],
  ['a misspelt opt-out of the witness', { issuer: 'https://a.example', witness: true }, ['/witness']],
  ['the opt-out of the witness under another name', { issuer: 'https://a.example', noWitness: true }, ['/']],
  ['a witness in the data directory', { issuer: 'https://a.example', dataDirectory: '/data', witness: '/data/a/../w.json' }, ['/witness']],
  ['a data directory as the witness', { issuer: 'https://a.example', dataDirectory: '/data/', witness: '/data' }, ['/witness']],
  ['an http issuer in witnessFor', { issuer: 'https://a.example', witness: '/w.json', witnessFor: ['http://b.example'] }, ['/witnessFor']],
  ['a configuration with two bad values', { dev: true, port: -1, adminPort: 'x' }, ['/port', '/adminPort']],
])('%s is refused with the path of each invalid value', (_, flags, pointers) => {
  expect(pointersOf(flags)).toEqual(pointers)
})

test('outgoing requests are a mode, or a mode with servers in canonical form', () => {
  expect(parseConfig({ dev: true }, undefined, { CREDENCE_OUTGOING: 'public' }).outgoing).toEqual({ mode: 'public', allow: [] })
  const allow = ['AGENTS.acme.com.:443', '[::1]:8443', '0x7f.1:80']
  expect(parseConfig({ dev: true, outgoing: { mode: 'allowlist', allow } }, undefined, {}).outgoing?.allow).toEqual([
    'agents.acme.com:443',
    '[::1]:8443',
    '127.0.0.1:80',
  ])
})

test('CREDENCE_* variables set options, and flags override them', () => {
  expect(parseConfig({ dev: true, port: '5001' }, undefined, { CREDENCE_PORT: '5000', CREDENCE_DATA_DIRECTORY: '/data' })).toMatchObject({
    port: 5001,
    dataDirectory: '/data',
  })
})

test('parseDataConfig needs no issuer, and uses a configured one', () => {
  expect(parseDataConfig({ dataDirectory: '/data' }, undefined, {})).toMatchObject({ dataDirectory: '/data', dev: true })
  expect(parseDataConfig({}, undefined, { CREDENCE_ISSUER: 'https://a.example' })).toMatchObject({
    issuer: 'https://a.example',
    dev: false,
  })
})

test('parseDataConfig ignores a public host in development mode', () => {
  const env = { CREDENCE_HOST: '0.0.0.0' }
  expect(parseDataConfig({}, undefined, env)).toMatchObject({ host: '127.0.0.1', dev: true })
  expect(parseDataConfig({}, undefined, { ...env, CREDENCE_ISSUER: 'https://a.example' })).toMatchObject({ host: '0.0.0.0', dev: false })
  expect(parseDataConfig({}, undefined, { CREDENCE_HOST: '::1' })).toMatchObject({ host: '::1' })
})

test('a witness may be a file or the issuer of another registry', () => {
  expect(parseConfig({ dev: true, witness: '/elsewhere/witness.json' }, undefined, {}).witness).toBe('/elsewhere/witness.json')
  expect(parseConfig({ dev: true, witness: 'http://127.0.0.1:4100' }, undefined, {}).witness).toBe('http://127.0.0.1:4100')
  expect(parseConfig({ issuer: 'https://a.example', witness: 'https://b.example' }, undefined, {}).witness).toBe('https://b.example')
})

test('outside development mode, the witness is outside the data directory, or is declined explicitly', () => {
  const parse = (witness: string | false) =>
    parseConfig({ issuer: 'https://a.example', dataDirectory: '/data', witness }, undefined, {}).witness
  for (const witness of ['/data-witness.json', '/witness.json', '/data/../w.json', '/data/../..w/w.json', false] as const)
    expect(parse(witness)).toBe(witness)
})

test('a symbolic link does not move a witness out of the data directory', async () => {
  await using folder = await tempFolder()
  const [dataDirectory, link] = [join(folder.path, 'data'), join(folder.path, 'link')]
  await mkdir(dataDirectory)
  await symlink(dataDirectory, link)
  expect(pointersOf({ issuer: 'https://a.example', dataDirectory, witness: join(link, 'new/witness.json') })).toEqual(['/witness'])
})
