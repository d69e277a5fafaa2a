import { expect, test } from 'vitest'
import { isSpecialUseHost } from '../../../src/lib/hosts/special-use.js'

const hostOf = (authority: string): string => new URL(`https://${authority}/`).hostname

test.each([
  ...['127.0.0.1', '127.1', '0x7f.1', '2130706433', '017700000001', '127.0.0.1.', '0.0.0.0', '10.0.0.5', '100.64.0.1', '169.254.169.254'],
  ...['172.16.0.1', '172.31.255.255', '192.0.0.9', '192.0.2.1', '192.88.99.1', '192.168.1.1', '198.18.0.1', '198.51.100.7', '203.0.113.9'],
  ...['224.0.0.1', '240.0.0.1', '255.255.255.255', '１２７.0.0.1'],
  ...[
    '[::]',
    '[::1]',
    '[::ffff:127.0.0.1]',
    '[::ffff:8.8.8.8]',
    '[::127.0.0.1]',
    '[64:ff9b::10.0.0.1]',
    '[100::1]',
    '[fc00::1]',
    '[fe80::1]',
  ],
  ...['[ff02::1]', '[2001::1]', '[2001:db8::1]', '[2002:7f00:1::]', '[3fff::1]', '[5f00::1]'],
  ...[
    'localhost',
    'LOCALHOST',
    'localhost.',
    'a.localhost',
    'agent',
    'printer.local',
    'x.test',
    'x.invalid',
    'agent.example',
    'example.com',
  ],
  ...['www.example.org', 'x.onion', 'router.home.arpa', 'db.internal', '1.0.0.127.in-addr.arpa', 'x.alt'],
])('%s is a special-use host', (authority) => {
  expect(isSpecialUseHost(hostOf(authority))).toBe(true)
})

test.each([
  ...['8.8.8.8', '1.1.1.1', '172.15.0.1', '172.32.0.1', '100.128.0.1', '192.0.1.1', '198.20.0.1', '223.255.255.255'],
  ...['[2606:4700:4700::1111]', '[2a00:1450:4001:82a::200e]', '[2001:4860:4860::8888]', '[2003::1]'],
  ...['agents.acme.com', 'acme.com.', 'notlocalhost.com', 'myexample.com', 'example.community', 'xn--bcher-kva.de', 'test.acme.com'],
])('%s is a public host', (authority) => {
  expect(isSpecialUseHost(hostOf(authority))).toBe(false)
})
