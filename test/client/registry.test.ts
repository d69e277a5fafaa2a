import { afterAll, beforeAll, expect, test } from 'vitest'
import { confirmAgent, createAgent, joinRegistry, newEs256Signer } from '../../src/client/index.js'
import { type Registry, startRegistry } from '../registry.js'

let registry: Registry
beforeAll(async () => {
  registry = await startRegistry()
})
afterAll(() => registry[Symbol.asyncDispose]())

/** The errors of the three functions that take an issuer URL. */
const errorsFor = async (issuer: string): Promise<string[]> => {
  const signer = await newEs256Signer()
  const calls = [
    async () => createAgent({ issuer, clientId: 'agt_x', signer }).token(),
    () => joinRegistry({ issuer, code: 'x', name: 'x', signer }),
    () => confirmAgent({ issuer, agentId: 'agt_x', registrationToken: 'x', signer }),
  ]
  return Promise.all(calls.map((call) => call().then(() => '', String)))
}

test('an issuer URL with a slash at its end names the same registry', async () => {
  const clock = registry.clock
  const { signer, clientId } = await registry.agent()
  expect(await createAgent({ issuer: `${registry.issuer}/`, clientId, signer, clock }).search()).toMatchObject({ total: 0 })
})

test('the error for another host name of the registry names its issuer URL; the error for a URL without a scheme names the scheme', async () => {
  const other = registry.issuer.replace('127.0.0.1', 'localhost')
  for (const text of await errorsFor(other)) expect(text).toContain(`has the issuer URL ${registry.issuer}`)
  for (const text of await errorsFor(registry.issuer.replace('http://', '')))
    expect(text).toContain('it must begin with https:// or http://')
})
