import { z } from 'zod'

/** Who may see a part of a card, from the widest to the narrowest. `private` parts are never uploaded: the agent presents them itself. */
export const TIERS = ['public', 'authenticated', 'introduced', 'private'] as const
export const Tier = z.enum(TIERS)
export type Tier = z.infer<typeof Tier>

/** True where a caller who is entitled to `granted` may see what is released to `needed`. Nobody is granted `private`. */
export const tierCovers = (granted: Tier, needed: Tier): boolean => needed !== 'private' && TIERS.indexOf(needed) <= TIERS.indexOf(granted)

const Sha256 = z.string().regex(/^[A-Za-z0-9_-]{43}$/)
const Pointer = z
  .string()
  .max(512)
  .regex(/^(\/([^~/]|~[01])*)+$/)

/** Claims of a release policy (`typ: credence-release+jwt`): JSON Pointers into the signed `agent_card`, array positions counting placeholders and decoys. */
export const ReleasePolicy = z.strictObject({
  iss: z.string().min(1).max(512),
  sub: z.string().min(1).max(512),
  iat: z.int().min(0),
  /** Rises with every policy of a card, so that an older, looser one cannot return. */
  number: z.int().min(1),
  card_sha256: Sha256,
  default: Tier,
  tiers: z.record(Pointer, Tier).refine((tiers) => Object.keys(tiers).length <= 1024, 'more than 1024 pointers'),
})
export type ReleasePolicy = z.infer<typeof ReleasePolicy>

/** The tier of the part at `pointer`: that of the pointer itself or of the nearest part above it, else the default; never wider than any part above it. */
export function tierOf(policy: Pick<ReleasePolicy, 'default' | 'tiers'>, pointer: string): Tier {
  let narrowest: Tier | undefined
  for (let end = pointer.indexOf('/', 1); ; end = pointer.indexOf('/', end + 1)) {
    const above = end < 0 ? pointer : pointer.slice(0, end)
    const tier = Object.hasOwn(policy.tiers, above) ? policy.tiers[above] : undefined
    if (tier !== undefined && (narrowest === undefined || TIERS.indexOf(tier) > TIERS.indexOf(narrowest))) narrowest = tier
    if (end < 0) return narrowest ?? policy.default
  }
}
