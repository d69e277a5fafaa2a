import type { Audit } from '../audit/audit.js'
import { digestOfJson } from '../credentials/digest.js'
import { spendProof } from '../credentials/dpop.js'
import { type ParsedKey, requireUsableKey } from '../credentials/jwk.js'
import { verifyEnrolmentProof } from '../credentials/verify-for.js'
import { refuse } from '../errors.js'
import type { Random } from '../lib/random.js'
import type { EnrolmentStatement, KeyOwner, KeyPurpose } from '../protocol/enrolment-statement.js'
import { type Handle, newHandle } from '../protocol/handles.js'
import { type EnrolmentId, type Jkt, newId, type OrgId } from '../protocol/ids.js'
import type { Once } from '../storage/once.js'
import type { Operation } from '../storage/storage.js'
import type { TrustLog } from '../trust-log/trust-log.js'
import { findEnrolments } from './find.js'
import type { Enrolment, EnrolmentsStore } from './store.js'

export interface EnrolDeps {
  readonly enrolments: EnrolmentsStore
  readonly trustLog: TrustLog
  readonly random: Random
  readonly once: Once
  readonly issuer: string
  readonly audit: Audit
}

/** A key that asks to be enrolled, and its proof for `proofOwner` (an invitation, an agent, …). */
export interface KeyOffer {
  readonly jwk: unknown
  readonly proof: string
  readonly proofOwner: string
}

/** That whoever offers the key possesses it, for this owner, once (RFC 7800 §3.1: proof of possession). */
export async function requireOfferedKey(deps: Pick<EnrolDeps, 'once' | 'issuer'>, offer: KeyOffer, now: number): Promise<ParsedKey> {
  const key = await requireUsableKey(offer.jwk, undefined, 'invalid_client_metadata')
  const { jti, exp } = await verifyEnrolmentProof(offer.proof, {
    key: { jwk: key.jwk, alg: key.alg },
    issuer: deps.issuer,
    owner: offer.proofOwner,
    now,
  })
  const isFirst = await spendProof({ jkt: key.jkt, jti, expiresAt: exp }, (name, keptUntil) => deps.once.spend('proof', name, keptUntil))
  return isFirst ? key : refuse('key_invalid', 'the proof of the key was used before')
}

export interface Enrolling {
  readonly owner: KeyOwner
  readonly orgId: OrgId
  readonly use: KeyPurpose
  readonly key: ParsedKey
  readonly by: readonly Handle[]
  readonly at: number
}

/** A new enrolment and the digest that its log entry carries. */
export function newEnrolment(
  { random }: Pick<EnrolDeps, 'random'>,
  { owner, orgId, use, key, by, at }: Enrolling,
): { enrolment: Enrolment; digest: string } {
  const statement: EnrolmentStatement = {
    id: newId(random, 'key'),
    owner,
    orgId,
    use,
    handle: newHandle(random, 'key'),
    jkt: key.jkt,
    alg: key.alg,
    jwk: { ...key.jwk },
    at,
    salt: random.token(16),
  }
  const enrolment = { ...statement, by: [...by], entry: newId(random, 'ent'), place: `${owner} ${key.jkt}` }
  return { enrolment, digest: digestOfJson(statement) }
}

/** Enrols a key beside an owner's others. `on`: what it stands on besides its owner's handles. */
export async function enrolKey(
  deps: EnrolDeps,
  enrolling: Enrolling,
  standing: { readonly on: readonly Handle[]; readonly also: readonly Operation[] },
): Promise<{ readonly enrolmentId: EnrolmentId; readonly jkt: Jkt }> {
  await requireNewKey(deps, enrolling.owner, enrolling.key.jkt)
  const { enrolment, digest } = newEnrolment(deps, enrolling)
  const { outcome } = await deps.enrolments.begin(enrolment, {
    id: enrolment.entry,
    type: 'key.enrolled',
    begins: [enrolment.handle],
    on: standing.on,
    digest,
    also: standing.also,
  })
  if (outcome === 'exists') return refuse('code_invalid', 'the token or code is wrong, used or expired')
  return outcome === 'begun'
    ? { enrolmentId: enrolment.id, jkt: enrolment.jkt }
    : refuse('conflict', 'what it stands on has ended meanwhile')
}

async function requireNewKey(deps: EnrolDeps, owner: KeyOwner, jkt: Jkt): Promise<void> {
  const enrolled = await findEnrolments(deps, owner)
  if (enrolled.some((one) => one.jkt === jkt && !deps.trustLog.ended.has(one.handle)))
    refuse('already_exists', 'this key is enrolled for this owner already')
}
