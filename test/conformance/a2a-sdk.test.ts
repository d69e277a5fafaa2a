import { generateAgentCardSignature, verifyAgentCardSignature } from '@a2a-js/sdk'
import type * as jose from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { confirmAgent, createAgent, type Published } from '../../src/client/index.js'
import { thumbprint } from '../../src/credentials/jose/jwk.js'
import { newPrivateJwk, signerFromJwk } from '../../src/credentials/jose/sign.js'
import type { JsonObject } from '../../src/lib/json.js'
import type { AgentId } from '../../src/protocol/ids.js'
import { type Registry, startRegistry } from '../registry.js'
import { aShapedCard, CARD_SHAPES } from './card-shapes.js'
import { findPythonSdk, runPythonSdk } from './python-sdk.js'

const python = findPythonSdk()
if (python === undefined)
  console.warn(
    '\n*** The signatures of cards were NOT tested with the Python SDK of A2A: no Python has it.\n*** Run pip install -r examples/python/requirements.txt and set CREDENCE_TEST_PYTHON to that Python.\n',
  )

/** biome-ignore lint/suspicious/noExplicitAny: the SDK types a card as a message; this test passes JSON, as the SDK client does */
const asSdk = (value: JsonObject): any => value
const clone = (value: unknown): JsonObject => JSON.parse(JSON.stringify(value))

let registry: Registry
let jwk: JsonWebKey
let publisher: { readonly agentId: AgentId; readonly publicJwk: jose.JWK; readonly kid: string }
let agent: ReturnType<typeof createAgent>

beforeAll(async () => {
  registry = await startRegistry({ servers: 1 })
  const { agentId, registrationToken } = await registry.registration()
  jwk = await newPrivateJwk()
  const signer = await signerFromJwk(jwk)
  const options = { issuer: registry.issuer, signer, clock: registry.clock }
  await confirmAgent({ ...options, agentId, registrationToken })
  agent = createAgent({ ...options, clientId: agentId })
  publisher = { agentId, publicJwk: signer.publicJwk as jose.JWK, kid: thumbprint(signer.publicJwk) }
})
afterAll(() => registry[Symbol.asyncDispose]())

const SHAPES = Object.entries(CARD_SHAPES).map(([title, shape], i) => ({ title, shape, i }))
const ALL_FORMS = { spec: true, sdk: true, raw: true }

/** The Python SDK serves these without a member that A2A requires, because the member is empty. */
const LACKING = ['an empty description', 'a skill without tags', 'no skills', 'no output modes']

const servedCard = async (): Promise<JsonObject> =>
  (await registry.fetch(`/agents/${publisher.agentId}/.well-known/agent-card.json`)).json()
const publishAsIs = (card: JsonObject) =>
  agent.mutate<Published>('cards.publish', { agentId: publisher.agentId, publicCard: JSON.stringify(card) })
const verifiedBySdk = (card: JsonObject) => verifyAgentCardSignature(async () => publisher.publicJwk)(asSdk(card))
const signedBySdk = async (card: JsonObject): Promise<JsonObject> =>
  clone(await generateAgentCardSignature(jwk as jose.JWK, { alg: 'ES256', kid: publisher.kid, typ: 'JOSE' })(asSdk(card)))

/** Publishes a card that an SDK signed. One that says more than the SDK signs is refused with a remedy. */
async function publishSigned(card: JsonObject, title: string): Promise<void> {
  const refused = await publishAsIs(card).then(
    () => undefined,
    (error) => error,
  )
  if (refused !== undefined) {
    expect(refused, title).toMatchObject({ reason: 'card_signature_invalid' })
    for (const { hint } of refused.faults) expect(hint).toContain('credence card publish')
  }
  // The remedy of the hint
  expect((await agent.publish({ card })).verifies, title).toEqual(ALL_FORMS)
  await verifiedBySdk(await servedCard())
  expect((await agent.card(publisher.agentId)).state, title).toBe('verified')
}

describe('JavaScript SDK', () => {
  test.each(SHAPES)('$title: a card that the client publishes verifies in the SDK, and in every canonical form', async ({ shape, i }) => {
    const published = await agent.publish({ card: aShapedCard(`1.${i}`, shape) })
    expect(published.verifies).toEqual(ALL_FORMS)
    const served = await servedCard()
    await verifiedBySdk(served)
    expect((await agent.card(publisher.agentId)).state).toBe('verified')
  })

  test.each(SHAPES)('$title: a card that the SDK signed is published, or refused with a remedy that works', async ({ title, shape, i }) => {
    await publishSigned(await signedBySdk(aShapedCard(`2.${i}`, shape)), title)
  })
})

describe.skipIf(python === undefined)('Python SDK', () => {
  test('cards that the client publishes verify in the SDK', async () => {
    const served: JsonObject[] = []
    for (const { shape, i } of SHAPES) {
      await agent.publish({ card: aShapedCard(`3.${i}`, shape) })
      served.push(await servedCard())
    }
    const answers = await runPythonSdk(
      python ?? '',
      served.map((card) => ({ verify: card, jwk: publisher.publicJwk })),
    )
    expect(Object.fromEntries(SHAPES.map(({ title, i }) => [title, answers[i]]))).toEqual(
      Object.fromEntries(SHAPES.map(({ title }) => [title, { ok: true }])),
    )
  })

  test('cards that the SDK signed and serves are published, or refused with a remedy that works', async () => {
    const answers = await runPythonSdk(
      python ?? '',
      SHAPES.map(({ shape, i }) => ({ sign: aShapedCard(`4.${i}`, shape), jwk, kid: publisher.kid })),
    )
    for (const { title, i } of SHAPES) {
      const card = answers[i]?.card
      if (card === undefined) throw new Error(`${title}: ${answers[i]?.error}`)
      if (LACKING.includes(title)) await expect(publishAsIs(card), title).rejects.toMatchObject({ reason: 'card_invalid' })
      else await publishSigned(card, title)
    }
  })
})
