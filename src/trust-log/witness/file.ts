import { z } from 'zod'
import { refuse } from '../../errors.js'
import { readAtomicFile, writeAtomicFile } from '../../lib/io/atomic-file.js'
import { Handle } from '../../protocol/handles.js'
import { LogHead, type WitnessStore } from './witness.js'

const WitnessFile = LogHead.extend({
  /** Epochs before the current one. None of them is accepted again, so a registry that was not restored cannot replace the head of one that was. */
  pastEpochs: z.array(Handle).max(1000).default([]),
})

/** A witness in a file. Keep the file on a different disk, and out of the backups of the store. */
export function witnessFile(file: string): WitnessStore {
  const read = () => readAtomicFile(file, WitnessFile, 'witness')
  return {
    name: file,
    emptyText: `the witness file ${file} does not exist`,
    read: async () => {
      const { pastEpochs, ...head } = (await read()) ?? {}
      return LogHead.optional().parse(pastEpochs && head)
    },
    // Several instances may share the file, and one that is behind must not lower the head of another. If two instances read the file at the same
    // time, the one behind may still write last; the next update, a second later, corrects that. A head of an older release gets its root.
    write: async (head) => {
      const before = await read()
      if (before?.pastEpochs.includes(head.epoch))
        refuse('unavailable', `the witness ${file} has a newer epoch of the log: the registry was restored, and this is an old copy of it`)
      if (before?.epoch === head.epoch && (before.seq > head.seq || (before.seq === head.seq && before.root !== undefined))) return
      const pastEpochs = before === undefined ? [] : before.epoch === head.epoch ? before.pastEpochs : [...before.pastEpochs, before.epoch]
      await writeAtomicFile(file, { ...head, pastEpochs })
    },
  }
}
