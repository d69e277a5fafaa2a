import type { ComponentChildren } from 'preact'
import { RevokeConsent } from '../consents/revoke-consent.js'
import { NarrowIntroduction, RevokeIntroduction } from '../introductions/introduction-actions.js'
import type { Edge } from './edges.js'

export type EdgeVerb = 'narrow' | 'revoke'

/** What may be done with an edge. The registry decides in any case. */
export function verbsOf({ kind, state, direction }: Edge): readonly EdgeVerb[] {
  if (kind === 'consent') return state === 'valid' ? ['revoke'] : []
  if (state === 'pending') return direction === 'in' ? [] : ['revoke']
  if (state !== 'granted' && state !== 'needsApproval') return []
  // Only the side of the target narrows
  return direction === 'out' ? ['revoke'] : ['narrow', 'revoke']
}

interface EdgeActionProps {
  readonly edge: Edge
  readonly verb: EdgeVerb
  readonly onDone: (outcome: ComponentChildren) => void
  readonly onClose: () => void
}

export function EdgeAction({ edge, verb, ...rest }: EdgeActionProps) {
  if (edge.kind === 'consent') return <RevokeConsent consent={edge.row} onRevoked={rest.onDone} onClose={rest.onClose} />
  return verb === 'narrow' ? (
    <NarrowIntroduction introduction={edge.row} {...rest} />
  ) : (
    <RevokeIntroduction introduction={edge.row} {...rest} />
  )
}
