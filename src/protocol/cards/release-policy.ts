import { z } from 'zod'

/**
 * Classes of callers that may see a part of a card, from the widest to the narrowest. `private` parts are never uploaded: the agent presents
 * them itself.
 */
const TIERS = ['public', 'authenticated', 'introduced', 'private'] as const
export const Tier = z.enum(TIERS)
export type Tier = z.infer<typeof Tier>

/** True if a caller with the tier `granted` may see a part that is released to `needed`. The registry never releases `private` parts. */
export const tierCovers = (granted: Tier, needed: Tier): boolean => needed !== 'private' && TIERS.indexOf(needed) <= TIERS.indexOf(granted)

const Sha256 = z.string().regex(/^[A-Za-z0-9_-]{43}$/, 'not a SHA-256 digest (43 base64url characters)')
const Pointer = z
  .string()
  .max(512)
  .regex(/^(\/([^~/]|~[01])*)+$/, 'not a JSON Pointer to a part of the card')

/**
 * Claims of a release policy (`typ: credence-release+jwt`). The JSON Pointers refer to the signed `agent_card`; array indexes count
 * placeholders and decoys.
 */
export const ReleasePolicy = z.strictObject({
  iss: z.string().min(1).max(512),
  sub: z.string().min(1).max(512),
  iat: z.int().min(0),
  /** Increases with every policy of a card, so that an older and more permissive policy cannot be replayed. */
  number: z.int().min(1),
  card_sha256: Sha256,
  default: Tier,
  tiers: z.record(Pointer, Tier).refine((tiers) => Object.keys(tiers).length <= 1024, 'more than 1024 pointers'),
})
export type ReleasePolicy = z.infer<typeof ReleasePolicy>

/** The tier of the part at `pointer`: the narrowest tier that the policy gives the part or a part that contains it, otherwise the default. */
export function tierOf(policy: Pick<ReleasePolicy, 'default' | 'tiers'>, pointer: string): Tier {
  let narrowest: Tier | undefined
  for (let end = pointer.indexOf('/', 1); ; end = pointer.indexOf('/', end + 1)) {
    const prefix = end < 0 ? pointer : pointer.slice(0, end)
    const tier = Object.hasOwn(policy.tiers, prefix) ? policy.tiers[prefix] : undefined
    if (tier !== undefined && (narrowest === undefined || TIERS.indexOf(tier) > TIERS.indexOf(narrowest))) narrowest = tier
    if (end < 0) return narrowest ?? policy.default
  }
}
