import type { AuditDraft } from '../../audit/audit.js'
import { isStillAuthorised } from '../../http/caller.js'
import type { ClientId, RegisteredKeyId } from '../../protocol/ids.js'
import { mayRegister, type OwnerDeps } from './authority.js'
import { findRegisteredKeys } from './find.js'
import type { KeyCodeDeps } from './issue-code.js'
import { codeStands, denyCode, requireOneTimeCode } from './one-time-code.js'
import { type KeyRegistered, requireOfferedKey, saveRegisteredKey } from './register.js'
import { indexingCardsOf } from './revoke.js'
import type { KeyCode, RegisteredKey } from './store.js'
import { requireGeneration, requiringGeneration, withdrawingRegistration } from './withdraw-codes.js'

export interface KeyCodeRedeemed extends KeyRegistered {
  readonly clientId: ClientId
  /** Number of other keys that the code has revoked. */
  readonly revokedCount: number
}

/**
 * Redeems a one-time code: one commit consumes the code, registers the key, and, if the code says so, revokes the other keys and withdraws the other
 * codes and the registration access token of the client.
 */
export async function redeemKeyCode(
  deps: KeyCodeDeps & Pick<OwnerDeps, 'clientUriOf'>,
  { code, jwk, proof }: { readonly code: string; readonly jwk: unknown; readonly proof: string },
): Promise<KeyCodeRedeemed> {
  const { now } = await deps.trustLog.readBarrier()
  const keyCode = await requireKeyCode(deps, code, now)
  const { id, clientId, orgId, codeHash, grantedBy, dependsOn, revokeOthers } = keyCode
  const key = await requireOfferedKey(deps, { jwk, proof, proofOwner: id })
  const others = revokeOthers ? await standingKeys(deps, clientId) : []
  const draft: AuditDraft = { orgId, actor: clientId, action: 'keys.redeemCode', outcome: 'done', subject: clientId }
  const recording = (ends: readonly RegisteredKey[]) => [
    ...ends.slice(0, 1).flatMap((key) => indexingCardsOf(deps, key)),
    ...deps.audit.recordingEnd(draft, { ends, reason: 'superseded' }),
  ]
  const registered = await saveRegisteredKey(
    deps,
    { owner: clientId, orgId, use: 'client', key, grantedBy, registeredAt: now, registeredBy: clientId },
    {
      dependsOn,
      ends: others.map(({ handle }) => ({ handle })),
      also: [
        deps.registeredKeys.codes.taking(id, { codeHash }),
        requiringGeneration(deps, keyCode, revokeOthers),
        ...(revokeOthers ? await withdrawingRegistration(deps, clientId) : []),
        ...recording(others),
      ],
    },
  )
  if (registered === undefined) return denyCode()
  let revokedCount = others.length
  // A key that was registered after the list was read
  for (let more = others; revokeOthers; revokedCount += more.length) {
    more = await standingKeys(deps, clientId, registered.keyId)
    if (more.length === 0) break
    const ends = more.map(({ handle }) => ({ handle }))
    await deps.trustLog.end({ type: 'key.revoked', ends, operations: recording(more) })
  }
  return { clientId, ...registered, revokedCount }
}

/** Returns what is stored under the code, if its issuer may still give it. */
async function requireKeyCode(deps: Parameters<typeof redeemKeyCode>[0], code: string, now: number): Promise<KeyCode> {
  const keyCode = await requireOneTimeCode(deps, code, { find: deps.registeredKeys.codes.get, now })
  const { issuer, clientId, orgId } = keyCode
  const isAuthorised = await isStillAuthorised(deps, issuer, (client) => mayRegister({ ...client, id: issuer }, clientId, orgId))
  const { generation } = await requireGeneration(deps, clientId)
  const isAdmitted = (await deps.clientUriOf(clientId)) !== undefined
  return isAuthorised && !isAdmitted && generation === keyCode.generation && codeStands(deps.trustLog, keyCode.dependsOn)
    ? keyCode
    : denyCode()
}

const standingKeys = async (deps: KeyCodeDeps, owner: ClientId, except?: RegisteredKeyId): Promise<readonly RegisteredKey[]> =>
  (await findRegisteredKeys(deps, owner)).filter(({ id, handle }) => id !== except && !deps.trustLog.ended.has(handle))
