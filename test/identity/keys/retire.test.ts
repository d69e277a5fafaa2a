import { expect, test } from 'vitest'
import { thumbprint } from '../../../src/credentials/jose/jwk.js'
import { newEs256Signer } from '../../../src/credentials/jose/sign.js'
import { agentsStore } from '../../../src/identity/agents/store.js'
import { newRegisteredKey } from '../../../src/identity/keys/register.js'
import { endRetiredKeys } from '../../../src/identity/keys/retire.js'
import { registeredKeysStore } from '../../../src/identity/keys/store.js'
import { systemRandom } from '../../../src/lib/random.js'
import { newId } from '../../../src/protocol/ids.js'
import { openLogs } from '../../trust-log/open-logs.js'

const random = systemRandom

test('the timer ends every retired key whose time has passed, and no other key', async () => {
  await using logs = await openLogs()
  const trustLog = await logs.open()
  const base = { storage: logs.storage, trustLog }
  const registeredKeys = registeredKeysStore(base)
  const deps = { registeredKeys, trustLog, random, agents: agentsStore(base) }
  const { publicJwk: jwk, alg } = await newEs256Signer()
  const key = { jwk, alg, jkt: thumbprint(jwk) }
  const now = logs.clock.now()
  const register = async () => {
    const owner = newId(random, 'agt')
    const { registeredKey } = newRegisteredKey(
      { random },
      { owner, orgId: newId(random, 'org'), use: 'client', key, grantedBy: [], registeredAt: now, registeredBy: owner },
    )
    await registeredKeys.insert(registeredKey)
    return registeredKey
  }
  const all = await Promise.all(Array.from({ length: 240 }, register))
  const [notRetired, due, later] = [all.slice(0, 101), all.slice(101, 210), all.slice(210)]
  await Promise.all(due.map(({ id }) => registeredKeys.change(id, {}, { endsAt: now + 100 })))
  await Promise.all(later.map(({ id }) => registeredKeys.change(id, {}, { endsAt: now + 101 })))
  const ended = () => [notRetired, due, later].map((keys) => keys.filter(({ handle }) => trustLog.ended.has(handle)).length)
  await endRetiredKeys(deps)
  expect(ended()).toEqual([0, 0, 0])
  logs.clock.advance(100)
  await endRetiredKeys(deps)
  expect(ended()).toEqual([0, 109, 0])
  logs.clock.advance(1)
  await endRetiredKeys(deps)
  expect(ended()).toEqual([0, 109, 30])
})
