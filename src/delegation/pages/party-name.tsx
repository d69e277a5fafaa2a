import { Foreign } from '../../http/pages/foreign.js'
import type { ClientParty } from './parties.js'

/** A client or audience under the name that it gives itself, with its organisation, or the host of its metadata. */
export function PartyName({ name, organisation, host }: ClientParty) {
  return (
    <>
      <Foreign text={name} />
      {organisation !== undefined && (
        <>
          {' '}
          of <Foreign text={organisation} />
        </>
      )}
      {host !== undefined && (
        <>
          {' '}
          at <code>{host}</code>
        </>
      )}
    </>
  )
}
