import { afterAll, beforeAll, expect, test } from 'vitest'
import { confirmAgent, createAgent, joinRegistry, newEs256Signer } from '../../src/client/index.js'
import { type Registry, startRegistry } from '../registry.js'

let registry: Registry
beforeAll(async () => {
  registry = await startRegistry()
})
afterAll(() => registry[Symbol.asyncDispose]())

/** What each way in says of an address. */
const told = async (issuer: string): Promise<string[]> => {
  const signer = await newEs256Signer()
  const ways = [
    async () => createAgent({ issuer, clientId: 'agt_x', signer }).token(),
    () => joinRegistry({ issuer, code: 'x', name: 'x', signer }),
    () => confirmAgent({ issuer, agentId: 'agt_x', registrationToken: 'x', signer }),
  ]
  return Promise.all(ways.map((way) => way().then(() => '', String)))
}

test('an address with a slash at its end is the same registry', async () => {
  const clock = registry.clock
  const { signer, clientId } = await registry.agent()
  expect(await createAgent({ issuer: `${registry.issuer}/`, clientId, signer, clock }).search()).toMatchObject({ total: 0 })
})

test('another name of the same place is answered with the one to use; what is no address, with how one is written', async () => {
  const other = registry.issuer.replace('127.0.0.1', 'localhost')
  for (const text of await told(other)) expect(text).toContain(`calls itself ${registry.issuer}`)
  for (const text of await told(registry.issuer.replace('http://', '')))
    expect(text).toContain('is no address of a registry: write https://…')
})
