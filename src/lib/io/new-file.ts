// A new file that holds private keys or another's data. It is written under a name that nobody can foresee, so that no other user has created it, and
// gets its own name when it is complete. An existing file is never overwritten, also not one that is created meanwhile.
import { existsSync } from 'node:fs'
import { link, open } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { refuse } from '../../errors.js'
import { systemRandom } from '../random.js'

/** The name for the file until it is complete. The caller creates it exclusively, and removes it afterwards. */
export const incompleteName = (file: string): string => `${resolve(file)}.${systemRandom.token(16)}.partial`

/** Refuses before the work is done; `publishNewFile` decides. */
export function requireNewFile(file: string): void {
  if (existsSync(file)) refuse('conflict', `${file} already exists; name a new file`)
}

/** Gives the complete file its name; durable when the promise resolves. The other name stays. */
export async function publishNewFile(incomplete: string, file: string): Promise<void> {
  await sync(incomplete)
  await link(incomplete, file).catch((error: unknown) => {
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    if (code === 'EEXIST') refuse('conflict', `${file} already exists; name a new file`)
    if (NO_LINKS.includes(code))
      refuse(
        'unavailable',
        `${file} cannot be created: its file system has no hard links; name a file on another disk, or write to - (a pipe)`,
      )
    throw error
  })
  await sync(dirname(resolve(file)))
}

const NO_LINKS = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS']

async function sync(path: string): Promise<void> {
  const handle = await open(path)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
