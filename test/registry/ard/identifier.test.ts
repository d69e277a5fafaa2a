import { expect, test } from 'vitest'
import { AgentId } from '../../../src/protocol/ids.js'
import { agentOfIdentifier, IDENTIFIER, listingOf } from '../../../src/registry/ard/identifier.js'

const agentId = AgentId.parse(`agt_${'a-_'.repeat(7)}x`)

test.each([
  ['https://registry.example', 'registry.example'],
  ['https://registry.example:8443', 'registry.example'],
  ['https://bücher.example', 'xn--bcher-kva.example'],
  ['http://127.0.0.1:4000', '127.0.0.1'],
  ['http://[::1]:4000', '---1-'],
])('an agent of the registry %s is listed by the publisher %s, and found by its identifier', (issuer, publisher) => {
  const listing = listingOf(issuer, { agentId })
  expect(listing).toEqual({ publisher, identifier: `urn:air:${publisher}:agents:${agentId}`, identity: `${issuer}/agents/${agentId}` })
  expect(listing.identifier).toMatch(IDENTIFIER)
  expect(agentOfIdentifier(issuer, listing.identifier)).toBe(agentId)
  expect(agentOfIdentifier('https://other.example', listing.identifier)).toBeUndefined()
})
