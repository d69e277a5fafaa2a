import { parsePosition } from '../../../src/protocol/log/entry.js'
import type { Output } from '../../api/procedures.js'
import { useQuery } from '../../api/use-query.js'
import { Result } from '../../ui/notes.js'
import { Facts, Section } from '../../ui/page.js'
import { Foreign, Time } from '../../ui/text.js'

type Status = Output<'system.status'>

const WITNESS: Readonly<Record<Status['witness'], string>> = {
  none: 'none: no outside party would detect a rollback of the store',
  current: 'has the head of the log',
  failing: 'cannot be reached',
}
const COSIGNERS: Readonly<Record<Status['cosigners'], string>> = {
  none: 'none',
  current: 'all have cosigned',
  failing: 'one of them has not cosigned',
}
const ROOM = { enough: '', little: ', nearly full: nothing new can be created', reserve: ', full: only revocations are accepted' } as const
const MIB = 1_048_576

/** The health of the registry, as the instance sees it that answered. */
export function Health() {
  const status = useQuery('system.status', {})
  return (
    <Section title="Health of the registry">
      <Result of={status}>
        {({ position, logTime, version, witness, cosigners, ownLags, instance }) => (
          <>
            <Facts
              of={{
                'newest log entry': (
                  <>
                    <a href={`/console/log/${parsePosition(position).seq}`}>{parsePosition(position).seq}</a> at <Time at={logTime} />
                  </>
                ),
                'your connections': lagText(ownLags, 'This page is not connected to the revocation feed.'),
                'other subscribers': instance && lagText(instance.otherLags, 'no other client is connected'),
                witness: `${WITNESS[witness]}${instance?.witnessBehind ? `, ${instance.witnessBehind} entries behind` : ''}`,
                cosignatures: COSIGNERS[cosigners],
                disk: instance?.disk && `${Math.round(instance.disk.freeBytes / MIB)} MiB free${ROOM[instance.disk.room]}`,
                warnings: instance && (instance.warnings.length === 0 ? 'none' : <Foreign text={instance.warnings.join('; ')} />),
                version,
              }}
            />
            <p class="hint">Reported by the instance that answered. Other instances may have other subscribers.</p>
          </>
        )}
      </Result>
      <p>
        <a href="/console/log">Check the log in this browser</a>
      </p>
    </Section>
  )
}

function lagText(lags: readonly number[], none: string): string {
  if (lags.length === 0) return none
  const behind = lags.filter((lag) => lag > 0)
  if (behind.length === 0) return `${lags.length}, none behind`
  return `${lags.length}, ${behind.length} behind: by ${behind.slice(0, 5).join(', ')} entries`
}
