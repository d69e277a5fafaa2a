import { beforeAll, describe, expect, test } from 'vitest'
import { cardDigest } from '../../../src/credentials/agent-card/card-credential.js'
import { preparePublication } from '../../../src/credentials/agent-card/sign-card.js'
import type { Signer } from '../../../src/credentials/jose/sign.js'
import { processSdJwt } from '../../../src/credentials/sd-jwt/verify.js'
import type { JsonObject } from '../../../src/lib/json.js'
import { systemRandom } from '../../../src/lib/random.js'
import type { Tier } from '../../../src/protocol/cards/release-policy.js'
import { AgentId } from '../../../src/protocol/ids.js'
import { aCard } from '../../registry.js'
import { newSigner } from '../forge.js'

let signer: Signer
beforeAll(async () => {
  signer = await newSigner('ES256')
})

const requirement = { schemes: { credence: { list: ['ocr:read'] } } }
const card = aCard(
  { issuer: 'https://registry.example' },
  {
    skills: [
      { id: 'open', name: 'Open', description: 'Open', tags: ['a'] },
      { id: 'closed', name: 'Closed', description: 'Closed', tags: ['b'], examples: ['only'], securityRequirements: [requirement] },
    ],
  },
)
const prepare = (
  nonPublic: readonly string[],
  tiers: Record<string, Tier> = {},
  defaultTier: Tier = 'introduced',
  changes: JsonObject = {},
) =>
  preparePublication(
    {
      ...{ card: { ...card, ...changes }, nonPublic, tiers, defaultTier, iss: 'x', sub: 'x', vct: 'x' },
      ...{ agentId: AgentId.parse('agt_AAAAAAAAAAAAAAAAAAAAAA'), version: 1, releaseNumber: 1, seconds: 60 },
    },
    { signer, random: systemRandom, now: 1_800_000_000 },
  )

describe('tiers', () => {
  test.each<[string, string[], Record<string, Tier>, string]>([
    ['a part that is not hidden', [], { '/skills/1': 'introduced' }, '/skills/1'],
    ['a misspelt pointer', ['/skills/1'], { '/skill/1': 'private' }, '/skill/1'],
    ['a part inside a hidden one', ['/skills/1'], { '/skills/1/examples': 'private' }, '/skills/1/examples'],
    ['a hidden part that would be public', ['/skills/1'], { '/skills/1': 'public' }, '/skills/1'],
  ])('a tier of %s is refused by its pointer', async (_, hide, tiers, pointer) => {
    await expect(prepare(hide, tiers)).rejects.toMatchObject({ reason: 'release_policy_invalid', detail: { faults: [{ pointer }] } })
  })

  test('a public default tier, and a hidden part that does not exist, are refused', async () => {
    await expect(prepare(['/skills/1'], {}, 'public')).rejects.toMatchObject({ reason: 'release_policy_invalid' })
    await expect(prepare(['/skills/7'], { '/skills/7': 'private' })).rejects.toMatchObject({ reason: 'sd_jwt_invalid' })
  })
})

test.each([
  '/skills/1/examples/0',
  '/skills/1/securityRequirements/0',
  '/securityRequirements/0',
  '/securitySchemes/credence',
  '/skills/1/examples',
])('the public card without %s is the SD-JWT without disclosures, and both have one digest', async (pointer) => {
  const { publicCard, sdJwt, cardSha256 } = await prepare([pointer])
  const { signatures: _, ...publicParts } = JSON.parse(publicCard)
  const { undisclosed } = processSdJwt(sdJwt, { typ: ['dc+sd-jwt'] })
  expect(JSON.parse(JSON.stringify(undisclosed.agent_card))).toEqual(publicParts)
  expect([cardDigest(publicParts), undisclosed.card_sha256]).toEqual([cardSha256, cardSha256])
})

test('signatures of a card with hidden parts are refused, because they are over these parts', async () => {
  const signed = JSON.parse((await prepare([])).publicCard)
  await expect(prepare(['/skills/1'], {}, 'introduced', signed)).rejects.toMatchObject({
    reason: 'card_signature_invalid',
    detail: { faults: [{ pointer: '/signatures' }] },
  })
})
