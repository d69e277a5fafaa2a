import { isDeepStrictEqual } from 'node:util'
import type { Audit } from '../../audit/audit.js'
import { auditDraft } from '../../audit/audit-draft.js'
import { digestOfJson } from '../../credentials/jose/digest.js'
import { consumeProof } from '../../credentials/jose/dpop.js'
import type { ParsedKey } from '../../credentials/jose/jwk.js'
import { requireUsableKey } from '../../credentials/jose/load-key.js'
import { verifyKeyProof } from '../../credentials/jose/token-types.js'
import { refuse } from '../../errors.js'
import type { Caller } from '../../http/caller.js'
import type { Clock } from '../../lib/clock.js'
import type { Random } from '../../lib/random.js'
import { type Handle, identitiesOf, newHandle } from '../../protocol/handles.js'
import { type ClientId, type Jkt, newId, OrgId, type RegisteredKeyId } from '../../protocol/ids.js'
import type { KeyOwner, KeyPurpose, KeyStatement } from '../../protocol/key-statement.js'
import type { Ending, Proposal } from '../../protocol/log/entry.js'
import type { ReplayCache } from '../../storage/replay-cache.js'
import type { Operation } from '../../storage/storage.js'
import type { ServedTrustLog, TrustLog } from '../../trust-log/trust-log.js'
import { type OwnerDeps, requireOwner } from './authority.js'
import { isCompromised, requireSlots, reservingSlots } from './quota-slots.js'
import type { RegisteredKey, RegisteredKeysStore } from './store.js'

export interface RegisterKeyDeps {
  readonly registeredKeys: RegisteredKeysStore
  readonly trustLog: TrustLog & Pick<ServedTrustLog, 'find'>
  readonly random: Random
  readonly replayCache: ReplayCache
  readonly issuer: string
  readonly clock: Pick<Clock, 'now'>
  readonly audit: Audit
}

interface RegisterKeyInput {
  readonly owner: KeyOwner
  readonly use: KeyPurpose
  readonly jwk: unknown
  readonly proof: string
}

/** Registers a further key of an organisation, an agent or a member. */
export async function registerKey(
  deps: RegisterKeyDeps & OwnerDeps,
  caller: Caller,
  { owner, use, jwk, proof }: RegisterKeyInput,
): Promise<KeyRegistered> {
  const { now } = caller.barrier
  const orgId = await requireOwner(deps, caller, owner, 'register')
  if ((use === 'publisher') !== OrgId.safeParse(owner).success)
    refuse('bad_input', 'organisations have publisher keys, agents and members have client keys', {
      faults: [{ pointer: '/use', hint: 'expected "publisher" for an organisation and "client" for an agent or a member' }],
    })
  const key = await requireOfferedKey(deps, { jwk, proof, proofOwner: owner })
  const row = deps.audit.recording(auditDraft(caller, 'keys.register', { orgId, subject: owner }))
  const registration = { owner, orgId, use, key, grantedBy: caller.identities, registeredAt: now, registeredBy: caller.id }
  const registered = await saveRegisteredKey(deps, registration, { dependsOn: identitiesOf(caller.dependencies.handles), also: [row] })
  return registered ?? refuse('conflict', 'the key could not be saved; try again')
}

/** A key in a request for registration, and a proof of possession made for `proofOwner` (an invitation, an agent, …). */
interface KeyOffer {
  readonly jwk: unknown
  readonly proof: string
  readonly proofOwner: string
}

/**
 * Verifies the key and the proof that its sender possesses the private key (RFC 7800 §3.1).
 * A proof is valid for one owner and is consumed here. A key that was ever declared compromised is refused.
 */
export async function requireOfferedKey(
  deps: Pick<RegisterKeyDeps, 'replayCache' | 'issuer' | 'registeredKeys' | 'clock' | 'trustLog'>,
  offer: KeyOffer,
): Promise<ParsedKey> {
  const key = await requireUsableKey(offer.jwk, undefined, 'invalid_client_metadata')
  const { jti, exp } = await verifyKeyProof(offer.proof, {
    key: { jwk: key.jwk, alg: key.alg },
    issuer: deps.issuer,
    owner: offer.proofOwner,
    now: deps.clock.now(),
    madeFrom: deps.trustLog.proofsValidFrom(),
  })
  const isFirst = await consumeProof({ jkt: key.jkt, jti, expiresAt: exp }, (replayKey, retainUntil) =>
    deps.replayCache.consume('proof', replayKey, retainUntil),
  )
  if (!isFirst) refuse('key_invalid', 'the key proof has been used before; make a new one')
  if (await isCompromised(deps, key.jkt)) refuse('key_revoked', 'the key was declared compromised; register a new key')
  return key
}

interface KeyRegistration {
  readonly owner: KeyOwner
  readonly orgId: OrgId
  readonly use: KeyPurpose
  readonly key: ParsedKey
  readonly grantedBy: readonly Handle[]
  readonly registeredAt: number
  readonly registeredBy: ClientId
}

/** A new registered key and the digest that its log entry carries. */
export function newRegisteredKey(
  { random }: Pick<RegisterKeyDeps, 'random'>,
  { owner, orgId, use, key, grantedBy, registeredAt, registeredBy }: KeyRegistration,
): { registeredKey: RegisteredKey; digest: string } {
  const statement: KeyStatement = {
    id: newId(random, 'key'),
    owner,
    orgId,
    use,
    handle: newHandle(random, 'key'),
    jkt: key.jkt,
    alg: key.alg,
    jwk: { ...key.jwk },
    registeredAt,
    registeredBy,
    salt: random.token(16),
  }
  const registeredKey = { ...statement, grantedBy: [...grantedBy], entry: newId(random, 'ent') }
  return { registeredKey, digest: digestOfJson(statement) }
}

export interface KeyRegistered {
  readonly keyId: RegisteredKeyId
  readonly jkt: Jkt
}

/**
 * Writes a registered key and reserves its quota slots. `dependsOn` names handles that must stand when the key is registered; `ends` names handles
 * that end with the registration; `further` are entries that stand with it.
 * Returns undefined if an operation of `also` failed. If a concurrent registration took the slots, the function tries the next free ones.
 */
export async function saveRegisteredKey(
  deps: RegisterKeyDeps,
  registration: KeyRegistration,
  {
    dependsOn,
    also,
    ends = [],
    further = [],
  }: {
    readonly dependsOn: readonly Handle[]
    readonly also: readonly Operation[]
    readonly ends?: readonly Ending[]
    readonly further?: readonly Proposal[]
  },
): Promise<KeyRegistered | undefined> {
  const { owner, key } = registration
  for (let slots = await requireSlots(deps, owner, key.jkt); ; ) {
    const { registeredKey, digest } = newRegisteredKey(deps, registration)
    const { outcome } = await deps.trustLog.commit({
      id: registeredKey.entry,
      type: 'key.registered',
      dependsOn,
      ends,
      digest,
      further,
      operations: [deps.registeredKeys.inserting(registeredKey), ...reservingSlots(deps.registeredKeys, slots, registeredKey), ...also],
    })
    if (outcome === 'committed') return { keyId: registeredKey.id, jkt: key.jkt }
    if (outcome === 'dependencyEnded') return refuse('conflict', 'the owner of the key or your own access was revoked concurrently')
    const freeNow = await requireSlots(deps, owner, key.jkt)
    if (isDeepStrictEqual(freeNow, slots)) return undefined
    slots = freeNow
  }
}
