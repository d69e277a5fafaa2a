import type { Command } from 'commander'
import type { Progress } from '../../../operations/dump/command.js'
import { print, printErrorLines, printLines, showStep, standardOutput } from '../../output.js'
import { configOf, type StoreFlags, storeFlags } from '../../store-flags.js'
import { adminLog } from './admin-log.js'

interface DumpFlags extends StoreFlags {
  readonly to: string
  readonly seal?: boolean
}
interface LoadFlags extends StoreFlags {
  readonly from: string
  readonly witness?: string | false
  readonly issuer?: string
}

const onProgress = ({ step, done }: Progress): void => showStep(done > 0 ? `${step} ${done}` : step)

/** `credence admin dump` and `credence admin load`. */
export function adminDump(admin: Command): void {
  const dump = admin
    .command('dump')
    .description('write the whole store as JSON lines; with MongoDB, instances may run meanwhile')
    .requiredOption('--to <file>', 'new file, or - for standard output')
    .option('--seal', 'end the log of this store, to move the registry: the store can no longer be served, and no instance may run')
  storeFlags(dump).action(async ({ to, seal: seals = false, ...flags }: DumpFlags) => {
    const { dumpToFile } = await import('../../../operations/dump/command.js')
    const target = to === '-' ? standardOutput() : to
    const last = await dumpToFile({ config: configOf(flags), to: target, seals, onProgress, log: adminLog })
    if (to !== '-') print(flags, last)
    if (!flags.json) printErrorLines(...(seals ? SEALED : []))
  })
  const load = admin
    .command('load')
    .description('load a dump into an empty store; if it was interrupted, run it again')
    .requiredOption('--from <file>', 'file that `credence admin dump` wrote, or - for standard input')
    .option('--witness <file or url>', 'witness of the registry')
    .option('--no-witness', 'the registry is served without a witness')
    .option('--issuer <url>', 'issuer of the registry; required if its witness is another registry')
  storeFlags(load).action(async ({ from, witness, issuer, ...flags }: LoadFlags) => {
    const { loadFromFile } = await import('../../../operations/dump/command.js')
    const source = from === '-' ? process.stdin : from
    const loaded = await loadFromFile({ config: configOf(flags, { witness, issuer }), from: source, onProgress, log: adminLog })
    print(flags, loaded)
    if (!flags.json) printLines(...OUTCOMES[loaded.outcome])
  })
}

const SEALED = [
  'Sealed: this store can no longer be served. Load the dump into an empty store (credence admin load), and serve that store.',
]
const OUTCOMES = {
  loaded: [
    'Loaded. The dump is not sealed, so this store is like a restored backup: the registry may have revoked more since.',
    'If it has, the store is behind its witness and is not served: run credence admin restore, which says what is missing.',
  ],
  moved: ['Moved. Serve this store with the same witness and issuer; the store that was dumped can no longer be served.'],
  'already-moved': ['An earlier run has loaded this dump. Serve this store with the same witness and issuer.'],
}
