// The witness as a file beside, or better far from, the store.

import { readAtomicFile, writeAtomicFile } from '../../lib/io/atomic-file.js'
import { LogHead, type WitnessStore } from './witness.js'

export function witnessFile(file: string): WitnessStore {
  const read = () => readAtomicFile(file, LogHead, 'witness')
  return {
    name: file,
    read,
    // Instances that share the file are not equally far in the log: one that is behind does not lower what another has written. Of two who read it
    // at the same moment the one behind may still write last; it does so again within a second, as soon as it has read on.
    write: async (witnessed) => {
      const before = await read()
      if (before === undefined || before.epoch !== witnessed.epoch || before.seq < witnessed.seq) await writeAtomicFile(file, witnessed)
    },
  }
}
