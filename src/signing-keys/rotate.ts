import type { Audit } from '../audit/audit.js'
import { auditDraft } from '../audit/audit-draft.js'
import { refuse } from '../errors.js'
import type { Caller } from '../http/caller.js'
import type { KeyUse } from './key-store.js'
import { MAX_TRIES } from './key-versions.js'
import { type KeyView, type KeyViewDeps, viewsOf } from './key-view.js'

export interface RotateKeyDeps extends KeyViewDeps {
  readonly audit: Audit
}

/** A new key is published this long before it signs: twice the time for which verifiers may cache the JWKS. */
const PUBLISHED_BEFORE_SECONDS = 120

/** Creates the next key of this use. The two keys that sign checkpoints are rotated together; the result is the one of `use`. */
export async function rotateSigningKey(deps: RotateKeyDeps, caller: Caller, use: KeyUse): Promise<KeyView> {
  if (use === 'log') await rotateOne(deps, caller, 'log-ed25519')
  return rotateOne(deps, caller, use)
}

/**
 * Creates the next key of one use. The key is published now, and signs PUBLISHED_BEFORE_SECONDS later. The previous key stays in the JWKS
 * until nothing that it signed can be valid any more. If a pending key exists already, that key is returned and none is created.
 */
async function rotateOne(deps: RotateKeyDeps, caller: Caller, use: KeyUse): Promise<KeyView> {
  for (let attempt = 0; attempt < MAX_TRIES; attempt++) {
    const { now } = attempt === 0 ? caller.barrier : await deps.trustLog.readBarrier()
    const pending = (await viewsOf(deps, use)).find(({ state }) => state === 'pending')
    if (pending) return pending
    // If another instance creates the version first, the next attempt returns its key.
    await deps.keyVersions.create(use, now + PUBLISHED_BEFORE_SECONDS, [
      deps.audit.recording(auditDraft(caller, 'signingKeys.rotate', { facts: { use } })),
    ])
  }
  return refuse('unavailable', `the registry's ${use} keys are being changed; try again`)
}
