import { isDeepStrictEqual } from 'node:util'
import type { Audit } from '../../audit/audit.js'
import { doneBy } from '../../audit/audit-row.js'
import { digestOfJson } from '../../credentials/jose/digest.js'
import { spendProof } from '../../credentials/jose/dpop.js'
import { type ParsedKey, requireUsableKey } from '../../credentials/jose/jwk.js'
import { verifyEnrolmentProof } from '../../credentials/jose/token-types.js'
import { refuse } from '../../errors.js'
import type { Caller } from '../../http/caller.js'
import type { Random } from '../../lib/random.js'
import { type Handle, identitiesOf, newHandle } from '../../protocol/handles.js'
import { type EnrolmentId, type Jkt, newId, OrgId } from '../../protocol/ids.js'
import type { EnrolmentStatement, KeyOwner, KeyPurpose } from '../../protocol/key-statement.js'
import type { Once } from '../../storage/replay-cache.js'
import type { Operation } from '../../storage/storage.js'
import type { TrustLog } from '../../trust-log/trust-log.js'
import { type OwnerDeps, requireOwner } from './authority.js'
import { isCompromised, requirePlaces, takingPlaces } from './quota-slots.js'
import type { Enrolment, EnrolmentsStore } from './store.js'

export interface EnrolDeps {
  readonly enrolments: EnrolmentsStore
  readonly trustLog: TrustLog
  readonly random: Random
  readonly once: Once
  readonly issuer: string
  readonly audit: Audit
}

export interface EnrolInput {
  readonly owner: KeyOwner
  readonly use: KeyPurpose
  readonly jwk: unknown
  readonly proof: string
}

/** One more key of an organisation, an agent or a member, by whoever manages its keys. */
export async function enrol(deps: EnrolDeps & OwnerDeps, caller: Caller, { owner, use, jwk, proof }: EnrolInput): Promise<Enrolled> {
  const { now } = await deps.trustLog.fence()
  const orgId = await requireOwner(deps, caller, owner)
  if ((use === 'publisher') !== OrgId.safeParse(owner).success)
    refuse('bad_input', 'publisher keys belong to organisations, client keys to agents and members', {
      faults: [{ pointer: '/use', hint: 'publisher for an organisation, client for an agent or a member' }],
    })
  const key = await requireOfferedKey(deps, { jwk, proof, proofOwner: owner }, now)
  const row = deps.audit.recording(doneBy(caller, 'enrolments.enrol', { orgId, subject: owner }))
  const enrolling = { owner, orgId, use, key, by: caller.by, at: now }
  const enrolled = await enrolKey(deps, enrolling, { on: identitiesOf(caller.ground.on), also: [row] })
  return enrolled ?? refuse('conflict', 'somebody changed it meanwhile')
}

/** A key that asks to be enrolled, and its proof for `proofOwner` (an invitation, an agent, …). */
export interface KeyOffer {
  readonly jwk: unknown
  readonly proof: string
  readonly proofOwner: string
}

/** That whoever offers the key possesses it, for this owner, once (RFC 7800 §3.1: proof of possession). */
export async function requireOfferedKey(
  deps: Pick<EnrolDeps, 'once' | 'issuer' | 'enrolments'>,
  offer: KeyOffer,
  now: number,
): Promise<ParsedKey> {
  const key = await requireUsableKey(offer.jwk, undefined, 'invalid_client_metadata')
  const { jti, exp } = await verifyEnrolmentProof(offer.proof, {
    key: { jwk: key.jwk, alg: key.alg },
    issuer: deps.issuer,
    owner: offer.proofOwner,
    now,
  })
  const isFirst = await spendProof({ jkt: key.jkt, jti, expiresAt: exp }, (name, keptUntil) => deps.once.spend('proof', name, keptUntil))
  if (!isFirst) refuse('key_invalid', 'the proof of the key was used before')
  if (await isCompromised(deps, key.jkt)) refuse('key_ended', 'the key was declared compromised: make another')
  return key
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
  const enrolment = { ...statement, by: [...by], entry: newId(random, 'ent') }
  return { enrolment, digest: digestOfJson(statement) }
}

export interface Enrolled {
  readonly enrolmentId: EnrolmentId
  readonly jkt: Jkt
}

/**
 * Enrols a key beside an owner's others. `on`: what it stands on besides its owner's handles.
 * Undefined where an operation of `also` did not hold.
 */
export async function enrolKey(
  deps: EnrolDeps,
  enrolling: Enrolling,
  standing: { readonly on: readonly Handle[]; readonly also: readonly Operation[] },
): Promise<Enrolled | undefined> {
  const { owner, key } = enrolling
  for (let places = await requirePlaces(deps, owner, key.jkt); ; ) {
    const { enrolment, digest } = newEnrolment(deps, enrolling)
    const { outcome } = await deps.enrolments.begin(enrolment, {
      id: enrolment.entry,
      type: 'key.enrolled',
      begins: [enrolment.handle],
      on: standing.on,
      digest,
      also: [...takingPlaces(deps.enrolments, places, enrolment), ...standing.also],
    })
    if (outcome === 'begun') return { enrolmentId: enrolment.id, jkt: key.jkt }
    if (outcome === 'refused') return refuse('conflict', 'what it stands on has ended meanwhile')
    const next = await requirePlaces(deps, owner, key.jkt)
    if (isDeepStrictEqual(next, places)) return undefined
    places = next
  }
}
