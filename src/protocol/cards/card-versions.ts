// The responses of `cards.history` and `cards.diff`.
import type { Fault } from '../../errors.js'
import type { JsonValue } from '../../lib/json.js'
import type { RevocationReason } from '../end-reason.js'
import type { AgentId } from '../ids.js'
import type { CardView, Verdict } from './card-view.js'

/** A version of a public card. The times are in epoch seconds. */
export interface CardVersion {
  readonly version: number
  readonly state: 'current' | 'superseded' | 'unpublished' | 'yanked'
  readonly publishedAt: number
  /** Absent for the current version. */
  readonly replacedAt?: number
  /** Strong ETag of the public card. */
  readonly etag: string
  readonly verdict: Verdict
  /** The publisher's own words. Absent for a version that was withdrawn, which only its publisher reads. */
  readonly text?: CardView['text']
  readonly deprecated?: CardView['facts']['deprecated']
  /** Why the publisher has withdrawn the version. `note` is the publisher's own words. */
  readonly yanked?: { readonly at: number } & RevocationReason
}

/** A member of the card that differs. `from` or `to` is absent if the version does not have the member. */
export interface CardChange {
  /** JSON Pointer into the card in the form of A2A 1.0, with ids and names in place of positions in lists. */
  readonly pointer: string
  readonly from?: JsonValue
  readonly to?: JsonValue
}

/** The changes for a caller between two versions of a public card. */
export interface CardDiff {
  readonly agentId: AgentId
  readonly from: number
  readonly to: number
  /** Interfaces, security, scopes and skills that callers can no longer rely on. Empty: no introduction needs another approval. */
  readonly takesAway: readonly Fault[]
  readonly endpoint: readonly CardChange[]
  readonly security: readonly CardChange[]
  readonly scopes: readonly CardChange[]
  readonly skills: readonly CardChange[]
  /** Capabilities, extensions and default modes. */
  readonly other: readonly CardChange[]
  /** Texts that only people read: names, descriptions, tags, examples, links. */
  readonly prose: readonly CardChange[]
}
