import { z } from 'zod'
import { AgentId, Audience, OrgId } from '../ids.js'
import { KeyStatement } from '../key-statement.js'
import { Entry } from '../log/entry.js'
import { Scope } from '../rights.js'
import { Tier } from './release-policy.js'

export const CARD_STATES = ['unsigned', 'invalid', 'unknown_key', 'signed', 'verified', 'stale', 'revoked'] as const

const KnownVerdict = z.object({
  state: z.enum(CARD_STATES),
  /** Canonical form under which the signature of C0 verified. */
  profile: z.enum(['spec', 'sdk', 'raw']).optional(),
  kid: z.string().max(256).optional(),
  thumbprint: z.string().max(64).optional(),
  /** Who signed: the organisation, or the agent itself. */
  signedBy: z.enum(['organisation', 'agent']).optional(),
  checkedAt: z.int(),
  /** JSON Pointers to what the card says outside the signed bytes. */
  uncovered: z.array(z.string()).max(64),
  hints: z.array(z.string()).max(16).default([]),
})
/** What the registry found when it checked a card. */
export const Verdict: z.ZodType<Verdict> = KnownVerdict.loose()
export type Verdict = z.infer<typeof KnownVerdict>

/** That the publisher's key was registered, checkable against the log without network. */
export const KeyRegistrationProof = z.object({
  statement: KeyStatement,
  entry: Entry,
  inclusion: z.object({ seq: z.int(), index: z.int(), size: z.int(), hashes: z.array(z.string().length(43)).max(64) }),
  /** A signed note. */
  checkpoint: z.string().max(8192),
})
export type KeyRegistrationProof = z.infer<typeof KeyRegistrationProof>

const KnownFacts = z.object({
  verdict: Verdict,
  asOf: z.string(),
  endpoint: z.string().optional(),
  scopes: z.array(Scope),
  publishedAt: z.int(),
  expiresAt: z.int().optional(),
  agentName: z.string(),
  organisationName: z.string(),
})
const KnownText = z.object({ name: z.string(), description: z.string() })
const openFacts: z.ZodType<z.infer<typeof KnownFacts>> = KnownFacts.loose()
const openText: z.ZodType<z.infer<typeof KnownText>> = KnownText.loose()

/**
 * What a caller gets of a card. A stranger gets neither `sdJwt` nor `view`, so of what it gets only `c0` can be checked, by its signatures:
 * `orgId`, `facts` and `text` are the registry's word, as good as the TLS that brought them. A `view` signs them too,
 * with members that only a newer registry knows: so these are kept. Beside them nothing is that no signature covers.
 */
export const CardView = z.object({
  agentId: AgentId,
  orgId: OrgId,
  audience: Audience,
  version: z.int().min(1),
  tier: Tier,
  /** Exact bytes of the public card, as text. */
  c0: z.string(),
  /** With just the entitled disclosures. */
  sdJwt: z.string().optional(),
  /** `card-view+jwt`: what the registry says of all this to this caller, for five minutes. */
  view: z.string().optional(),
  proof: KeyRegistrationProof.optional(),
  /** Checked by the registry. */
  facts: openFacts,
  /** Signed by the publisher: the card as this caller may see it. */
  claims: z.record(z.string(), z.unknown()),
  /** A stranger's prose. */
  text: openText,
})
export type CardView = z.infer<typeof CardView>
