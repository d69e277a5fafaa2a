import { isDeepStrictEqual } from 'node:util'
import type { Audit } from '../../audit/audit.js'
import { auditRow } from '../../audit/audit-row.js'
import { digestOfJson } from '../../credentials/jose/digest.js'
import { consumeProof } from '../../credentials/jose/dpop.js'
import { type ParsedKey, requireUsableKey } from '../../credentials/jose/jwk.js'
import { verifyKeyProof } from '../../credentials/jose/token-types.js'
import { refuse } from '../../errors.js'
import type { Caller } from '../../http/caller.js'
import type { Random } from '../../lib/random.js'
import { type Handle, identitiesOf, newHandle } from '../../protocol/handles.js'
import { type Jkt, newId, OrgId, type RegisteredKeyId } from '../../protocol/ids.js'
import type { KeyOwner, KeyPurpose, KeyStatement } from '../../protocol/key-statement.js'
import type { ReplayCache } from '../../storage/replay-cache.js'
import type { Operation } from '../../storage/storage.js'
import type { TrustLog } from '../../trust-log/trust-log.js'
import { type OwnerDeps, requireOwner } from './authority.js'
import { isCompromised, requireSlots, reservingSlots } from './quota-slots.js'
import type { RegisteredKey, RegisteredKeysStore } from './store.js'

export interface RegisterKeyDeps {
  readonly registeredKeys: RegisteredKeysStore
  readonly trustLog: TrustLog
  readonly random: Random
  readonly once: ReplayCache
  readonly issuer: string
  readonly audit: Audit
}

export interface RegisterKeyInput {
  readonly owner: KeyOwner
  readonly use: KeyPurpose
  readonly jwk: unknown
  readonly proof: string
}

/** One more key of an organisation, an agent or a member, by whoever manages its keys. */
export async function registerKeyOf(
  deps: RegisterKeyDeps & OwnerDeps,
  caller: Caller,
  { owner, use, jwk, proof }: RegisterKeyInput,
): Promise<KeyRegistered> {
  const { now } = await deps.trustLog.readBarrier()
  const orgId = await requireOwner(deps, caller, owner)
  if ((use === 'publisher') !== OrgId.safeParse(owner).success)
    refuse('bad_input', 'publisher keys belong to organisations, client keys to agents and members', {
      faults: [{ pointer: '/use', hint: 'publisher for an organisation, client for an agent or a member' }],
    })
  const key = await requireOfferedKey(deps, { jwk, proof, proofOwner: owner }, now)
  const row = deps.audit.recording(auditRow(caller, 'keys.register', { orgId, subject: owner }))
  const registering = { owner, orgId, use, key, grantedBy: caller.identities, at: now }
  const registered = await registerKey(deps, registering, { dependsOn: identitiesOf(caller.dependencies.handles), also: [row] })
  return registered ?? refuse('conflict', 'somebody changed it meanwhile')
}

/** A key that asks to be registered, and its proof for `proofOwner` (an invitation, an agent, …). */
export interface KeyOffer {
  readonly jwk: unknown
  readonly proof: string
  readonly proofOwner: string
}

/** That whoever offers the key possesses it, for this owner, once (RFC 7800 §3.1: proof of possession). */
export async function requireOfferedKey(
  deps: Pick<RegisterKeyDeps, 'once' | 'issuer' | 'registeredKeys'>,
  offer: KeyOffer,
  now: number,
): Promise<ParsedKey> {
  const key = await requireUsableKey(offer.jwk, undefined, 'invalid_client_metadata')
  const { jti, exp } = await verifyKeyProof(offer.proof, {
    key: { jwk: key.jwk, alg: key.alg },
    issuer: deps.issuer,
    owner: offer.proofOwner,
    now,
  })
  const isFirst = await consumeProof({ jkt: key.jkt, jti, expiresAt: exp }, (name, keptUntil) =>
    deps.once.consume('proof', name, keptUntil),
  )
  if (!isFirst) refuse('key_invalid', 'the proof of the key was used before')
  if (await isCompromised(deps, key.jkt)) refuse('key_ended', 'the key was declared compromised: make another')
  return key
}

export interface KeyRegistration {
  readonly owner: KeyOwner
  readonly orgId: OrgId
  readonly use: KeyPurpose
  readonly key: ParsedKey
  readonly grantedBy: readonly Handle[]
  readonly at: number
}

/** A new registered key and the digest that its log entry carries. */
export function newRegisteredKey(
  { random }: Pick<RegisterKeyDeps, 'random'>,
  { owner, orgId, use, key, grantedBy, at }: KeyRegistration,
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
    at,
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
 * Registers a key beside an owner's others. `on`: what it stands on besides its owner's handles.
 * Undefined where an operation of `also` did not hold.
 */
export async function registerKey(
  deps: RegisterKeyDeps,
  registering: KeyRegistration,
  standing: { readonly dependsOn: readonly Handle[]; readonly also: readonly Operation[] },
): Promise<KeyRegistered | undefined> {
  const { owner, key } = registering
  for (let places = await requireSlots(deps, owner, key.jkt); ; ) {
    const { registeredKey, digest } = newRegisteredKey(deps, registering)
    const { outcome } = await deps.registeredKeys.begin(registeredKey, {
      id: registeredKey.entry,
      type: 'key.registered',
      begins: [registeredKey.handle],
      dependsOn: standing.dependsOn,
      digest,
      also: [...reservingSlots(deps.registeredKeys, places, registeredKey), ...standing.also],
    })
    if (outcome === 'begun') return { keyId: registeredKey.id, jkt: key.jkt }
    if (outcome === 'refused') return refuse('conflict', 'what it stands on has ended meanwhile')
    const next = await requireSlots(deps, owner, key.jkt)
    if (isDeepStrictEqual(next, places)) return undefined
    places = next
  }
}
