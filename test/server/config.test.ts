import { expect, test } from 'vitest'
import { parseConfig, parseDataConfig } from '../../src/server/config.js'

const pointersOf = (flags: Record<string, unknown>): string[] => {
  try {
    parseConfig(flags, undefined, {})
    return []
  } catch (error) {
    return String(error instanceof Error ? error.message : error)
      .split('\n')
      .map((line) => /configuration (\S+):/.exec(line)?.[1] ?? line)
  }
}

test('development mode on loopback needs nothing else', () => {
  expect(parseConfig({ dev: true }, undefined, {})).toMatchObject({ host: '127.0.0.1', port: 4000, adminPort: 4001 })
})

test.each([
  ['a port out of range', { dev: true, port: 70_000 }, ['/port']],
  ['a port that is a word', { dev: true, port: 'http' }, ['/port']],
  ['a misspelt name', { dev: true, prot: 1 }, ['/']],
  ['an issuer with a path', { issuer: 'https://registry.example/a' }, ['/issuer']],
  ['an issuer with a trailing slash', { issuer: 'https://registry.example/' }, ['/issuer']],
  ['no issuer outside development mode', {}, ['/issuer']],
  ['an http issuer outside development mode', { issuer: 'http://registry.example' }, ['/issuer']],
  ['development mode on another interface', { dev: true, host: '0.0.0.0' }, ['/host']],
  ['development mode under a public name', { dev: true, issuer: 'http://registry.example' }, ['/issuer']],
  ['a proxy that is a name', { dev: true, trustedProxies: ['10.0.0.1', 'loopback'] }, ['/trustedProxies/1']],
  ['a range of more bits than there are', { dev: true, trustedProxies: ['10.0.0.0/33'] }, ['/trustedProxies/0']],
  ['a witness that is asked over http', { issuer: 'https://a.example', witness: 'http://b.example' }, ['/witness']],
  ['a witness over http that is not on this machine', { dev: true, witness: 'http://b.example' }, ['/witness']],
  ['a witness with a path', { issuer: 'https://a.example', witness: 'https://b.example/' }, ['/witness']],
  ['a witness for somebody over http', { issuer: 'https://a.example', witnessFor: ['http://b.example'] }, ['/witnessFor']],
  ['two bad values at once', { dev: true, port: -1, adminPort: 'x' }, ['/port', '/adminPort']],
])('%s stops with the path of the bad value', (_, flags, pointers) => {
  expect(pointersOf(flags)).toEqual(pointers)
})

test('the environment is read under its own names, and flags win over it', () => {
  expect(parseConfig({ dev: true, port: '5001' }, undefined, { CREDENCE_PORT: '5000', CREDENCE_DATA_DIRECTORY: '/data' })).toMatchObject({
    port: 5001,
    dataDirectory: '/data',
  })
})

test('what works on the data alone needs no issuer, and takes the one that is named', () => {
  expect(parseDataConfig({ dataDirectory: '/data' }, undefined, {})).toMatchObject({ dataDirectory: '/data', dev: true })
  expect(parseDataConfig({}, undefined, { CREDENCE_ISSUER: 'https://a.example' })).toMatchObject({
    issuer: 'https://a.example',
    dev: false,
  })
})

test('what works on the data alone listens nowhere: the host of a server is no fault of it', () => {
  const env = { CREDENCE_HOST: '0.0.0.0' }
  expect(parseDataConfig({}, undefined, env)).toMatchObject({ host: '127.0.0.1', dev: true })
  expect(parseDataConfig({}, undefined, { ...env, CREDENCE_ISSUER: 'https://a.example' })).toMatchObject({ host: '0.0.0.0', dev: false })
  expect(parseDataConfig({}, undefined, { CREDENCE_HOST: '::1' })).toMatchObject({ host: '::1' })
})

test('a witness is a file, or another registry', () => {
  expect(parseConfig({ dev: true, witness: '/elsewhere/witness.json' }, undefined, {}).witness).toBe('/elsewhere/witness.json')
  expect(parseConfig({ dev: true, witness: 'http://127.0.0.1:4100' }, undefined, {}).witness).toBe('http://127.0.0.1:4100')
  expect(parseConfig({ issuer: 'https://a.example', witness: 'https://b.example' }, undefined, {}).witness).toBe('https://b.example')
})
