import type { Audit } from '../audit/audit.js'
import { auditRow } from '../audit/audit-row.js'
import { refuse } from '../errors.js'
import type { Caller } from '../http/caller.js'
import type { KeyUse } from './key-store.js'
import { MAX_TRIES } from './key-versions.js'
import { type KeyView, type KeyViewDeps, viewsOf } from './key-view.js'

export interface RotateKeyDeps extends KeyViewDeps {
  readonly audit: Audit
}

/** A new key is published so long before it signs: twice as long as others may keep the list of keys. */
export const PUBLISHED_BEFORE_SECONDS = 120

/**
 * A new key for this use: published now, signing soon. The old one is listed until nothing that it signed can be valid, then ends.
 * Where a new one waits already, that is the answer.
 */
export async function rotateSigningKey(deps: RotateKeyDeps, caller: Caller, use: KeyUse): Promise<KeyView> {
  for (let attempt = 0; attempt < MAX_TRIES; attempt++) {
    const { now } = await deps.trustLog.readBarrier()
    const waiting = (await viewsOf(deps, use)).find(({ state }) => state === 'waiting')
    if (waiting) return waiting
    // Where another was first, its new key serves as well.
    await deps.generations.begin(use, now + PUBLISHED_BEFORE_SECONDS, [
      deps.audit.recording(auditRow(caller, 'signingKeys.rotate', { facts: { use } })),
    ])
  }
  return refuse('unavailable', `the ${use} keys of the registry are being changed`)
}
