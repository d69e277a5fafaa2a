import { expect, test } from 'vitest'
import { pushUrlFault } from '../../../src/verifier/a2a/push-configs.js'

const PUBLIC = 'https://agent.credence.dev'
const LOCAL = 'http://127.0.0.1:4100'

test.each([
  ['https://hooks.credence.dev/a', true, true],
  ['https://hooks.credence.dev:8443/a?b', true, true],
  ['http://hooks.credence.dev/a', false, false],
  ['https://me:secret@hooks.credence.dev/', false, false],
  ['https://169.254.169.254/', false, false],
  ['http://169.254.169.254/', false, false],
  ['https://2852039166/', false, false], // 169.254.169.254 as one number
  ['https://[::ffff:a9fe:a9fe]/', false, false],
  ['https://10.1.2.3/', false, false],
  ['https://hook.example/', false, true],
  ['https://intranet/', false, true],
  ['https://localhost/', false, true],
  ['http://localhost:9000/push', false, true],
  ['http://127.0.0.1:9000/push', false, true],
  ['https://[::1]:9000/push', false, true],
  ['ftp://hooks.credence.dev/', false, false],
  ['/push', false, false],
  [undefined, false, false],
])('push notifications to %s: from a public server %s, from a server on loopback %s', (url, fromPublic, fromLocal) => {
  expect([pushUrlFault(url, PUBLIC) === undefined, pushUrlFault(url, LOCAL) === undefined]).toEqual([fromPublic, fromLocal])
})
