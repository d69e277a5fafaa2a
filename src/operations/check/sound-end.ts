import { statSync } from 'node:fs'
import { refuse } from '../../errors.js'
import { silentLog } from '../../lib/log.js'
import type { Block } from '../../protocol/log/entry.js'
import { openStoredFile } from '../../storage/sqlite/open.js'
import { newAppliedLog } from '../../trust-log/apply.js'

/** Refuses a copy of a store whose pages are damaged, or whose log cannot be opened at its newest block. Returns that block. */
export async function requireSoundEnd(file: string): Promise<{ readonly head: Block; readonly bytes: number }> {
  const store = openStoredFile(file, { isOwnCopy: true })
  try {
    for (const { text } of store.pageFaults())
      refuse('unavailable', `the copy is damaged (${text}), and so is the store or the disk: run credence admin check`)
    const head = await store.log.head()
    if (head === undefined) return refuse('unavailable', 'the store has no log: there is nothing to back up')
    await newAppliedLog({ port: store.log, log: silentLog }).openAt(head)
    return { head, bytes: statSync(file).size }
  } finally {
    store.close()
  }
}
