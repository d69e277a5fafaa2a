import { z } from 'zod'
import { AgentId, Audience, OrgId } from '../ids.js'
import { KeyStatement } from '../key-statement.js'
import { Entry } from '../log/entry.js'
import { Scope } from '../rights.js'
import { Tier } from './release-policy.js'

export const VERDICT_STATES = ['unsigned', 'invalid', 'nonconformant', 'unknown_key', 'signed', 'verified', 'stale', 'revoked'] as const

const KnownVerdict = z.object({
  state: z.enum(VERDICT_STATES),
  /** The canonical form under which the signature of the public card verified. */
  profile: z.enum(['spec', 'sdk', 'raw']).optional(),
  kid: z.string().max(256).optional(),
  thumbprint: z.string().max(64).optional(),
  /** Owner of the key that signed the card. */
  signedBy: z.enum(['organisation', 'agent']).optional(),
  checkedAt: z.int(),
  /**
   * Only in the state `verified`: the DNS name that the organisation has proved, by which method and when, and the host of the endpoint, which it
   * covers.
   */
  namespace: z
    .object({ name: z.string().max(253), method: z.enum(['txt', 'file']), provedAt: z.int(), host: z.string().max(253) })
    .optional(),
  /** JSON Pointers to the parts of the card that no signature covers. */
  uncovered: z.array(z.string()).max(64),
  hints: z.array(z.string()).max(16).default([]),
})
/** The result of the registry's check of a card. */
export const Verdict: z.ZodType<Verdict> = KnownVerdict.loose()
export type Verdict = z.infer<typeof KnownVerdict>

/** Proves from the log, without network access, that the publisher's key was registered. */
export const KeyRegistrationProof = z.object({
  statement: KeyStatement,
  entry: Entry,
  inclusion: z.object({ seq: z.int(), index: z.int(), size: z.int(), hashes: z.array(z.string().length(43)).max(64) }),
  /** A signed note (C2SP). */
  checkpoint: z.string().max(8192),
})
export type KeyRegistrationProof = z.infer<typeof KeyRegistrationProof>

/** What the registry saw when it compared the card with the one that the agent serves itself. Evidence, not a claim of the publisher. */
export const Freshness = z.object({
  /** The version of the card that was compared. */
  version: z.int().min(1),
  /** The address of the agent's own card, without its query. */
  url: z.string().max(2048),
  card: z.enum(['same', 'differs', 'unreachable']),
  /** Epoch seconds of the first of the checks in a row with this result. */
  cardSince: z.int(),
  /** The members that differ; empty if the agent serves no card there. */
  differs: z.array(z.string().max(64)).max(32).optional(),
  /** Whether the endpoint answers, with any status. Absent if the card names no endpoint that can be called. */
  endpoint: z.enum(['reachable', 'unreachable']).optional(),
  endpointSince: z.int().optional(),
  checkedAt: z.int(),
})
export type Freshness = z.infer<typeof Freshness>

const KnownFacts = z.object({
  verdict: Verdict,
  asOf: z.string(),
  endpoint: z.string().optional(),
  scopes: z.array(Scope),
  publishedAt: z.int(),
  expiresAt: z.int().optional(),
  /** Since when (epoch seconds) the publisher advises against this version, and the agent to call in its place. */
  deprecated: z.object({ at: z.int(), successor: AgentId.optional() }).optional(),
  agentName: z.string(),
  organisationName: z.string(),
  freshness: Freshness.optional(),
})
const KnownText = z.object({
  name: z.string(),
  description: z.string(),
  /** The publisher's note on the deprecation. */
  deprecation: z.string().optional(),
})
const openFacts: z.ZodType<z.infer<typeof KnownFacts>> = KnownFacts.loose()
const openText: z.ZodType<z.infer<typeof KnownText>> = KnownText.loose()

/**
 * The response of `cards.get`. An anonymous caller gets neither `sdJwt` nor `view`: it can verify the signatures of `publicCard`, while
 * `orgId`, `facts` and `text` are only as trustworthy as the TLS connection. For authenticated callers the signed `view` covers these
 * members too. The schema keeps unknown members of `facts` and `text`, because a newer registry may sign more of them; every other unknown
 * member is dropped, because no signature covers it.
 */
export const CardView = z.object({
  agentId: AgentId,
  orgId: OrgId,
  audience: Audience,
  version: z.int().min(1),
  tier: Tier,
  /** The exact bytes of the public card, as text. */
  publicCard: z.string(),
  /** The card credential with the disclosures that this caller is entitled to. */
  sdJwt: z.string().optional(),
  /** `card-view+jwt`: the registry's statement about this card for this caller, valid for five minutes. */
  view: z.string().optional(),
  proof: KeyRegistrationProof.optional(),
  /** Checked by the registry. */
  facts: openFacts,
  /** The card as this caller may see it, signed by the publisher. */
  claims: z.record(z.string(), z.unknown()),
  /** Prose of the publisher, which the registry has not checked. */
  text: openText,
})
export type CardView = z.infer<typeof CardView>
