import type { Caller } from '../http/caller.js'
import { KEY_USES } from './key-store.js'
import { type KeyView, type KeyViewDeps, viewsOf } from './key-view.js'

/** The registry's signing keys of each use, newest first, also those that have ended. */
export const listSigningKeys = (deps: KeyViewDeps, caller: Pick<Caller, 'barrier'>): Promise<{ readonly items: readonly KeyView[] }> =>
  deps.trustLog.afterBarrier(caller.barrier, async () => ({ items: (await Promise.all(KEY_USES.map((use) => viewsOf(deps, use)))).flat() }))
