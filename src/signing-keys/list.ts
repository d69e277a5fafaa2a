import { KEY_USES } from './key-store.js'
import { type KeyView, type KeyViewDeps, viewsOf } from './key-view.js'

/** The registry's signing keys of each use, newest first, also those that have ended. */
export const listSigningKeys = (deps: KeyViewDeps): Promise<{ readonly items: readonly KeyView[] }> =>
  deps.trustLog.afterBarrier(async () => ({ items: (await Promise.all(KEY_USES.map((use) => viewsOf(deps, use)))).flat() }))
