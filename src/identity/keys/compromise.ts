import { digestOfText } from '../../credentials/jose/digest.js'
import { refuse } from '../../errors.js'
import type { Caller } from '../../http/caller.js'
import { distinct, type Handle } from '../../protocol/handles.js'
import { ClientId, type RegisteredKeyId } from '../../protocol/ids.js'
import type { Ending, Position } from '../../protocol/log/entry.js'
import type { PeopleStore } from '../people/store.js'
import { requireRegisteredKey, requireRevocable } from './authority.js'
import { keysProvedSince } from './find.js'
import { banKey, compromiseDigestOf } from './quota-slots.js'
import { indexingCardsBelow, keyAuditDraft, type OwnedKey, type RevokeKeyDeps, withdrawingForOwner } from './revoke.js'

export interface CompromiseDeps extends RevokeKeyDeps {
  readonly people: Pick<PeopleStore, 'passkeys'>
}

/**
 * Declares that a key or passkey has been compromised since `since` (epoch seconds). Revokes the key, the keys that its owner has proved since then, and
 * everything that these keys have granted since then, directly or through a member or key that they admitted. Withdraws the open one-time codes
 * and the registration access token of the key's owner. The key can never be registered again.
 */
export async function compromiseKey(
  deps: CompromiseDeps,
  caller: Caller,
  id: RegisteredKeyId,
  since: number,
  note?: string,
): Promise<{ position: Position; revokedCount: number }> {
  const { digest, ...key } = await banned(deps, caller, id)
  const ended = new Set<Handle>()
  for (let position: Position | undefined; ; ) {
    const proved = await provedByOwner(deps, key, since)
    const granters = distinct([key.handle, ...proved.map(({ handle }) => handle)])
    const all = [{ handle: key.handle }, ...proved, ...(await grantedTransitively(deps, granters, since))]
    const fresh = [...new Map(all.map((ending) => [ending.handle, ending])).values()].filter(
      ({ handle }) => !ended.has(handle) && !deps.trustLog.ended.has(handle),
    )
    // The list is read again after each log entry, because more may have been granted meanwhile. An ended identity can grant nothing more.
    if (position !== undefined && fresh.length === 0) return { position, revokedCount: ended.size }
    for (const { handle } of fresh) ended.add(handle)
    const draft = keyAuditDraft(caller, 'keys.compromise', key)
    // It may also end agents and further keys
    const operations = [
      indexingCardsBelow(deps, key),
      ...(await withdrawingForOwner(deps, key)),
      ...deps.audit.recordingEnd(draft, { ends: fresh, reason: 'compromised', note }),
    ]
    // Also the compromise of a key that was revoked before has an entry, so that a restore bans the key
    const committed = await deps.trustLog.commit({ type: 'key.compromised', dependsOn: [], ends: fresh, digest, operations })
    if (committed.outcome !== 'committed') return refuse('conflict', 'the record changed while the request was processed; try again')
    position = committed.position
  }
}

/** Finds a registered key or a passkey that the caller may revoke, and bans it. The document of a passkey stays, so no one can register it again. */
async function banned(deps: CompromiseDeps, caller: Caller, id: RegisteredKeyId): Promise<OwnedKey & { readonly digest: string }> {
  const [passkey] = (await deps.people.passkeys.find('id', { where: { id }, limit: 1 })).items
  if (passkey)
    return {
      ...requireRevocable(caller, { ...passkey, owner: passkey.memberId }),
      digest: digestOfText(`compromised ${passkey.credentialId}`),
    }
  const registeredKey = await requireRegisteredKey(deps, caller, id)
  await banKey(deps.registeredKeys, registeredKey.jkt)
  return { ...registeredKey, digest: compromiseDigestOf(registeredKey) }
}

/** The keys that the owner has proved since, if it is a client. */
const provedByOwner = async (deps: RevokeKeyDeps, { owner }: OwnedKey, since: number): Promise<readonly Ending[]> => {
  const clientId = ClientId.safeParse(owner).data
  return clientId === undefined ? [] : keysProvedSince(deps, clientId, since)
}

/**
 * Returns everything that identities granted, and everything that the granted members, keys, accounts and OpenID Providers granted in turn, because the
 * attacker may control them. Whatever a granted agent, organisation or task granted depends on its handle and needs no ending of its own.
 */
async function grantedTransitively(
  { grantedBy }: Pick<RevokeKeyDeps, 'grantedBy'>,
  granting: readonly Handle[],
  since: number,
): Promise<readonly Ending[]> {
  const granted = new Map<Handle, Ending>()
  const granters = new Set(granting)
  // The loop also visits the granters that it adds.
  for (const handle of granters)
    for (const ending of await grantedBy(handle, since)) {
      granted.set(ending.handle, ending)
      if (/^(mem|key|lnk|iss):/.test(ending.handle)) granters.add(ending.handle)
    }
  return [...granted.values()]
}
