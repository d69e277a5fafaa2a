import { auditDraft } from '../../audit/audit-draft.js'
import { verifyKeyRotation } from '../../credentials/jose/token-types.js'
import { refuse } from '../../errors.js'
import type { Caller } from '../../http/caller.js'
import { distinct, identitiesOf } from '../../protocol/handles.js'
import type { Jkt, RegisteredKeyId } from '../../protocol/ids.js'
import type { KeyOwner } from '../../protocol/key-statement.js'
import { MAX_TOKEN_SECONDS } from '../../protocol/rights.js'
import { type OwnerDeps, requireOwner } from './authority.js'
import { findRegisteredKeys } from './find.js'
import { type RegisterKeyDeps, requireOfferedKey, saveRegisteredKey } from './register.js'
import { retirementEntry, retiring } from './retire.js'
import type { RegisteredKey } from './store.js'

interface RotateKeyInput {
  readonly owner: KeyOwner
  readonly jwk: unknown
  readonly proof: string
  readonly endorsement: string
  readonly overlapSeconds?: number | undefined
}

export interface KeyRotated {
  readonly keyId: RegisteredKeyId
  readonly jkt: Jkt
  readonly retiredKeyId: RegisteredKeyId
  readonly retiresAt: number
}

/**
 * Replaces a key: the old key signs for the new one, the new one proves possession (as in RFC 8555 §7.3.5), and the old one retires after the overlap.
 * One commit. If the owner has registered the new key before, only the old key retires: so a request whose response was lost may be repeated.
 */
export async function rotateKey(
  deps: RegisterKeyDeps & OwnerDeps,
  caller: Caller,
  { owner, jwk, proof, endorsement, overlapSeconds = MAX_TOKEN_SECONDS }: RotateKeyInput,
): Promise<KeyRotated> {
  const orgId = await requireOwner(deps, caller, owner, 'register')
  if (owner !== caller.id && !caller.scopes.some((scope) => scope === 'agents:write'))
    refuse('insufficient_scope', 'rotating a key of another owner needs the scope agents:write')
  const standing = (await findRegisteredKeys(deps, owner)).filter(({ handle }) => !deps.trustLog.ended.has(handle))
  const key = await requireOfferedKey(deps, { jwk, proof, proofOwner: owner })
  const old = await requireEndorsing(deps, standing, { owner, jkt: key.jkt, endorsement })
  const known = standing.find(({ jkt }) => jkt === key.jkt)
  if (known?.id === old.id || known?.retiresAt !== undefined) refuse('conflict', 'the new key is the old one, or retired: make another key')
  if (old.retiresAt !== undefined) {
    if (known === undefined) return refuse('conflict', 'the old key is retired: rotate the key that replaced it')
    return { keyId: known.id, jkt: key.jkt, retiredKeyId: old.id, retiresAt: old.retiresAt }
  }
  const retiresAt = caller.barrier.now + overlapSeconds
  const dependsOn = [old.handle, ...identitiesOf(caller.dependencies.handles)]
  const row = deps.audit.recording(auditDraft(caller, 'keys.rotate', { orgId, subject: old.id }))
  const also = [retiring(deps.registeredKeys, old, retiresAt), row]
  const further = [await retirementEntry(deps, old, retiresAt)]
  const registration = {
    owner,
    orgId,
    use: old.use,
    key,
    // A thief of the old key may have made the new one
    grantedBy: distinct([...caller.identities, old.handle]),
    registeredAt: caller.barrier.now,
    registeredBy: caller.id,
  }
  const keyId =
    known === undefined
      ? (await saveRegisteredKey(deps, registration, { dependsOn, also, further }))?.keyId
      : (await deps.trustLog.commit({ type: 'record.changed', further, dependsOn: [known.handle, ...dependsOn], operations: also }))
            .outcome === 'committed'
        ? known.id
        : undefined
  if (keyId === undefined) return refuse('conflict', 'the key was changed or revoked concurrently; list the keys and try again')
  return { keyId, jkt: key.jkt, retiredKeyId: old.id, retiresAt }
}

/** Returns the key that signed the endorsement of the new key. A retired key counts during its overlap. */
async function requireEndorsing(
  deps: Pick<RegisterKeyDeps, 'issuer' | 'clock' | 'trustLog'>,
  standing: readonly RegisteredKey[],
  { owner, jkt, endorsement }: { readonly owner: KeyOwner; readonly jkt: Jkt; readonly endorsement: string },
): Promise<RegisteredKey> {
  const usable = standing.filter(({ retiresAt = Number.POSITIVE_INFINITY }) => retiresAt > deps.trustLog.now())
  const signedBy = await verifyKeyRotation(endorsement, {
    keys: usable.map(({ jwk, alg }) => ({ jwk, alg })),
    issuer: deps.issuer,
    owner,
    jkt,
    now: deps.clock.now(),
    madeFrom: deps.trustLog.proofsValidFrom(),
  })
  return usable.find((key) => key.jkt === signedBy) ?? refuse('key_invalid', 'the endorsement is not signed by a key of this owner')
}
