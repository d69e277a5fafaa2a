import type { Command } from 'commander'
import { toIso } from '../../../trust-log/clock-skew.js'
import type { RestoreResult } from '../../../trust-log/recovery/restore.js'
import { print, printLines, withProgress } from '../../output.js'
import { configOf, type StoreFlags, storeFlags } from '../../store-flags.js'
import { adminLog } from './admin-log.js'

interface RestoreFlags extends StoreFlags {
  readonly witness?: string | false
  readonly issuer?: string
  readonly mirror?: string
  readonly quarantine?: boolean
  readonly force?: boolean
}

/** `credence admin restore`. */
export function adminRestore(admin: Command): void {
  const command = admin
    .command('restore')
    .description('start a new epoch after restoring a backup; nothing revoked since the backup becomes valid again')
  storeFlags(command)
    .option('--witness <file or url>', 'witness of the registry')
    .option('--issuer <url>', 'issuer of the registry; required if its witness is another registry')
    .option('--mirror <file>', 'copy of the log that `credence log mirror` wrote')
    .option('--quarantine', 'if revocations may be missing, suspend all agents and revoke all keys, members, introductions and tasks')
    .action(async ({ witness, issuer, mirror, quarantine, ...flags }: RestoreFlags) => {
      const { restoreStore } = await import('../../../operations/restore/restore.js')
      const config = configOf(flags, { witness, issuer })
      const restored = await withProgress('restoring', () =>
        restoreStore(config, mirror, { mayQuarantine: quarantine === true, log: adminLog }),
      )
      print(flags, restored)
      if (!flags.json) printLines(...knowledgeOf(restored), ...(restored.reachesWitness ? REACHED : QUARANTINED))
    })
}

/** `credence admin reset-clock`: a restore of the store as it is, whose epoch begins with the time of this machine's clock. */
export function adminResetClock(admin: Command): void {
  const command = admin
    .command('reset-clock')
    .description(
      'start a new epoch with the time of this machine, after the log was written under a wrong clock; nothing revoked becomes valid again',
    )
  storeFlags(command)
    .option('--witness <file or url>', 'witness of the registry')
    .option('--no-witness', 'the registry is served without a witness')
    .option('--issuer <url>', 'issuer of the registry; required if its witness is another registry')
    .option('--force', 'reset a clock that is right, and write the head of this store to a witness that has none')
    .action(async ({ witness, issuer, force, ...flags }: RestoreFlags) => {
      const { restoreStore } = await import('../../../operations/restore/restore.js')
      const { epoch } = await restoreStore(configOf(flags, { witness, issuer }), undefined, {
        isCurrent: true,
        isForced: force === true,
        log: adminLog,
      })
      print(flags, { epoch, time: new Date().toISOString() })
      if (!flags.json) printLines('All earlier tokens are invalid; agents and members request new ones.')
    })
}

/** The limits of what the command knows about the backup. */
function knowledgeOf({ backupEndsAt, mirrorEndsAt, unprovenEntries, witnessedEntry }: RestoreResult): readonly string[] {
  const at = ({ entry, time }: RestoreResult['backupEndsAt']) => `entry ${entry} of the log (${toIso(time)})`
  return [
    `The backup ends at ${at(backupEndsAt)}. What was registered, published or granted after it is lost.`,
    ...(mirrorEndsAt ? [`The mirror ends at ${at(mirrorEndsAt)}. The revocations up to it are replayed.`] : []),
    ...(unprovenEntries
      ? [
          `Warning: entries ${unprovenEntries.from}–${unprovenEntries.to} of the mirror were not checked, because neither the witness nor a signed checkpoint of the mirror covers them. If somebody has changed the file, revocations may be missing.`,
        ]
      : []),
    witnessedEntry === undefined
      ? 'No witness has said where the log ended.'
      : `The witness knows of entry ${witnessedEntry}. It is updated once a second, so what was revoked in the last second before the registry stopped may be missing.`,
  ]
}

const REACHED = [
  'Every revocation up to the entry of the witness is applied. All earlier tokens are invalid; agents and members request new ones.',
]
const QUARANTINED = [
  'Revocations may be missing. All agents are suspended; all members, keys, introductions and tasks are revoked.',
  'The next start prints a one-time code for a new operator (credence login). The operator invites administrators; they reinstate agents and register keys.',
]
