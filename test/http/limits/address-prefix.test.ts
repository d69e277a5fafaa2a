import { expect, test } from 'vitest'
import { addressPrefix } from '../../../src/http/limits/address-prefix.js'

test.each([
  ['192.0.2.7', '192.0.2.7'],
  ['2001:db8:1:2ab::7', '2001:db8:1:200::/56'],
  ['2001:0db8:0001:02FF:1:2:3:4', '2001:db8:1:200::/56'],
  ['2001:db8::1', '2001:db8:0:0::/56'],
  ['::1', '0:0:0:0::/56'],
  ['fe80::1%eth0', 'fe80:0:0:0::/56'],
  ['', ''],
])('%s counts as the caller %s', (address, prefix) => {
  expect(addressPrefix(address)).toBe(prefix)
})
