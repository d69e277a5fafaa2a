import { readAtomicFile, writeAtomicFile } from '../../lib/io/atomic-file.js'
import { LogHead, type WitnessStore } from './witness.js'

/** A witness in a file. Keep the file on another disk than the store, and out of its backups. */
export function witnessFile(file: string): WitnessStore {
  const read = () => readAtomicFile(file, LogHead, 'witness')
  return {
    name: file,
    read,
    // Several instances may share the file, and one that is behind must not lower the head of another. If two instances read the file at the same
    // time, the one behind may still write last; the next update, a second later, corrects that.
    write: async (head) => {
      const before = await read()
      if (before === undefined || before.epoch !== head.epoch || before.seq < head.seq) await writeAtomicFile(file, head)
    },
  }
}
