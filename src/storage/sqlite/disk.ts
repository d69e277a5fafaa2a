// The disk of the embedded store. A reserve is kept on it: a file that is removed when a commit finds the disk full, so that revocations still find
// space. It is written again once there is room for it.
import { rmSync, statfsSync, statSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { systemClock } from '../../lib/clock.js'
import { systemRandom } from '../../lib/random.js'
import type { StoreState } from '../storage.js'

const RESERVE_BYTES = 16 * 2 ** 20
/** With less free space, callers may create nothing. More than the write-ahead log grows by before its pages are copied. */
const NEARLY_FULL_BYTES = 64 * 2 ** 20
const CHUNK_BYTES = 65_536
const READ_EVERY_MS = 1000

interface Disk {
  state(): Pick<StoreState, 'freeBytes' | 'reserveBytes' | 'room'>
  /** Removes the reserve. False if there is none. */
  giveUpReserve(): boolean
  /** Writes the reserve if it is missing and there is room for it. */
  keepReserve(): Promise<void>
}

/** `reserve`: the file of the reserve; undefined keeps none. `onReserve` is called when the reserve was given up, or written again. */
export function newDisk(store: string, reserve: string | undefined, onReserve: (isKept: boolean) => void = () => {}): Disk {
  const directory = dirname(store)
  let readMs = Number.NEGATIVE_INFINITY
  let freeBytes = Number.POSITIVE_INFINITY
  let reserveBytes = sizeOf(reserve)
  const free = (): number => {
    if (systemClock.monotonicMs() - readMs < READ_EVERY_MS) return freeBytes
    readMs = systemClock.monotonicMs()
    try {
      const { bavail, bsize } = statfsSync(directory)
      freeBytes = bavail * bsize
    } catch {
      // The next commit finds out why the disk cannot be read
    }
    return freeBytes
  }
  const isKept = (): boolean => reserveBytes === RESERVE_BYTES
  const remove = (): void => {
    if (reserve !== undefined) rmSync(reserve, { force: true })
    reserveBytes = 0
    readMs = Number.NEGATIVE_INFINITY
  }
  return {
    state: () => ({
      freeBytes: free(),
      reserveBytes,
      room: free() >= NEARLY_FULL_BYTES ? 'enough' : reserve === undefined || isKept() ? 'little' : 'reserve',
    }),
    giveUpReserve: () => {
      if (reserveBytes === 0) return false
      remove()
      onReserve(false)
      return true
    },
    keepReserve: async () => {
      if (reserve === undefined || isKept() || free() < NEARLY_FULL_BYTES + RESERVE_BYTES) return
      try {
        await writeReserve(reserve)
        reserveBytes = sizeOf(reserve)
        if (isKept()) onReserve(true)
      } catch {
        // The disk has filled meanwhile
        remove()
      }
    },
  }
}

const sizeOf = (file: string | undefined): number => (file && statSync(file, { throwIfNoEntry: false })?.size) || 0

/** Random bytes, because a file system may store zeros without taking space for them. */
async function writeReserve(file: string): Promise<void> {
  const handle = await open(file, 'w', 0o600)
  try {
    for (let bytes = 0; bytes < RESERVE_BYTES; bytes += CHUNK_BYTES) await handle.write(systemRandom.bytes(CHUNK_BYTES))
    await handle.sync()
  } finally {
    await handle.close()
  }
}
