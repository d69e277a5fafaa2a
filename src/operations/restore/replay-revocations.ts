import { z } from 'zod'
import { digestOfText } from '../../credentials/jose/digest.js'
import { RANK } from '../../identity/agents/agent.js'
import { AGENTS, type Agent } from '../../identity/agents/store.js'
import { banKey, compromiseDigestOf } from '../../identity/keys/quota-slots.js'
import { BANNED_KEYS, REGISTERED_KEYS, RegisteredKey } from '../../identity/keys/store.js'
import { Handle } from '../../protocol/handles.js'
import type { Entry } from '../../protocol/log/entry.js'
import type { BulkReadableStorage } from '../../storage/bulk.js'
import type { ReplayedRevocations } from '../../trust-log/recovery/restore.js'
import { documentsOf } from '../documents.js'

const ENDED_STATES: { readonly [type: string]: Agent['endedState'] } = { 'agent.revoked': 'revoked', 'agent.suspended': 'suspended' }

/**
 * Updates the agents of a backup that were suspended or revoked after it. The log does not say with which authority, so the highest rank
 * is recorded: otherwise an administrator could reinstate an agent that an operator suspended. A repeated call never turns a revocation
 * into a suspension. Bans the keys of the backup that were declared compromised after it.
 */
export async function replayRevocations(
  storage: BulkReadableStorage,
  replayed: ReplayedRevocations,
  compromises: readonly Entry[],
): Promise<void> {
  if (compromises.length > 0) await banCompromised(storage, compromises)
  if (replayed.size === 0) return
  const agents = storage.collection(AGENTS)
  const byDigest = new Map([...replayed.keys()].map((handle) => [digestOfText(handle), handle]))
  for await (const { key, doc } of documentsOf(storage, AGENTS)) {
    const handle = Handle.parse(doc.handle)
    const endedState = endedStateOf(replayed, byDigest, handle)
    const isRevoked = doc.endedHandle === handle && doc.endedState === 'revoked'
    if (endedState && !isRevoked) await agents.change(key, {}, { endedHandle: handle, endedState, endedRank: RANK.operator })
  }
}

/** The entry has a digest of the key. An entry of an earlier release has none, and its first handle is that of the key, unless it was revoked before. */
async function banCompromised(storage: BulkReadableStorage, compromises: readonly Entry[]): Promise<void> {
  const banned = storage.collection(BANNED_KEYS)
  const digests = new Set(compromises.map(({ digest }) => digest))
  const handles = new Set(
    compromises.flatMap(({ digest, ends }) => (digest === undefined ? ends.slice(0, 1) : [])).map(({ handle }) => handle),
  )
  for await (const { doc } of documentsOf(storage, REGISTERED_KEYS)) {
    const key = z.object(RegisteredKey.shape).parse(doc) // without what only a newer release knows
    if (digests.has(compromiseDigestOf(key)) || handles.has(key.handle)) await banKey({ banned }, key.jkt)
  }
}

/**
 * Follows reinstatements, which replace an agent's handle, to the last replayed entry about the agent. The entry of a reinstatement has the
 * digest of the new handle.
 */
function endedStateOf(replayed: ReplayedRevocations, byDigest: ReadonlyMap<string, Handle>, handle: Handle): Agent['endedState'] {
  let last = replayed.get(handle)
  for (let left = replayed.size; left > 0 && last?.type === 'agent.reinstated'; left--) {
    const next = byDigest.get(last.digest ?? '')
    last = next && replayed.get(next)
  }
  return ENDED_STATES[last?.type ?? '']
}
