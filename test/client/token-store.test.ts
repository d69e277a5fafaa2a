import { expect, test } from 'vitest'
import type { AccessToken } from '../../src/client/index.js'
import { startRegistry } from '../registry.js'

test('a stored root token is used until it expires or is revoked, and only the unbounded one is stored', async () => {
  await using registry = await startRegistry()
  const acme = await registry.organisation('Acme')
  const saved: AccessToken[] = []
  const tokenStore = { load: () => saved.at(-1), save: (token: AccessToken) => void saved.push(token) }
  const open = () => registry.as(acme, { tokenStore })
  const first = await open().token()
  await open().query('agents.list')
  expect([await open().token(), saved.length]).toEqual([first, 1])
  const narrow = await open().token(['agents:write'])
  expect([narrow.scope, saved.length]).toEqual(['agents:write', 1])
  await acme.revoke(first.accessToken)
  await open().query('agents.list')
  expect(saved.map(({ accessToken }) => accessToken === first.accessToken)).toEqual([true, false])
  registry.clock.advance(saved[1] ? saved[1].expiresAt - registry.clock.now() - 29 : 0)
  await open().token()
  expect(saved).toHaveLength(3)
})
