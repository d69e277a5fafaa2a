import type { CommitResult, Group, GroupResult } from '../../storage.js'
import { newBatch } from './batch.js'

/** Commits without a log entry. Those that wait share a transaction. */
export function newCommitWithoutEntry(
  commit: (groups: readonly Group[]) => Promise<readonly GroupResult[]>,
): (operations: Group) => Promise<CommitResult> {
  const batched = newBatch(async (groups: readonly Group[]) => (await commit(groups)).map((result) => () => requireValid(result)))
  return async (operations) => (operations.length === 0 ? { ok: true } : batched(operations))
}

function requireValid(result: GroupResult): CommitResult {
  if ('error' in result) throw result.error
  return result
}
