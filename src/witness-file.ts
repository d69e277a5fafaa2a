// The witness as a file beside, or better far from, the store.
import { Witnessed, type WitnessStore } from './trust-log/witness.js'
import { readWhole, writeWhole } from './whole-file.js'

export function witnessFile(file: string): WitnessStore {
  return {
    name: file,
    read: () => readWhole(file, Witnessed, 'witness'),
    write: (witnessed) => writeWhole(file, witnessed),
  }
}
