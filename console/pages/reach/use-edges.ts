import { useConsole } from '../../api/console.js'
import { type List, useList } from '../../api/use-query.js'
import { type ConsentRow, type Edge, edgeOfConsent, edgeOfIntroduction, type IntroductionRow, joinedList, mappedList } from './edges.js'

type EdgeState = 'granted' | 'pending' | 'all'

export interface EdgeFilter {
  /** An agent, a person or a resource. Absent: the viewer's organisation. */
  readonly id: string | undefined
  readonly state: EdgeState
  readonly direction: 'all' | 'in' | 'out'
}

const idOfIntroduction = ({ introductionId }: IntroductionRow): string => introductionId
const idOfConsent = ({ consentId }: ConsentRow): string => consentId

/** Who can call whom, as far as the viewer may know it: for an agent, a person, a resource or the whole organisation. */
export function useEdges({ id, state, direction }: EdgeFilter): List<Edge> {
  const { viewer } = useConsole()
  const isPerson = id?.startsWith('mem_') || (id === undefined && viewer.role === 'person')
  // The role `person` acts for itself, and sees no introduction of the organisation
  const mayList = !isPerson && viewer.role !== 'person'
  const agentId = id?.startsWith('agt_') ? id : undefined
  const ofAgent = { state, ...(agentId !== undefined && { agentId }) }
  const from = useList('introductions.list', mayList && direction !== 'in' ? { role: 'from', ...ofAgent } : undefined, idOfIntroduction)
  const to = useList('introductions.list', mayList && direction !== 'out' ? { role: 'to', ...ofAgent } : undefined, idOfIntroduction)
  const ofPerson = id === undefined || agentId !== undefined || isPerson
  const consents = useList(
    'consents.list',
    ofPerson ? { ...(agentId !== undefined && { client: agentId }), ...(id?.startsWith('mem_') && { memberId: id }) } : undefined,
    idOfConsent,
  )
  const lists = [
    mappedList(from, (row) => edgeOfIntroduction(row, 'out')),
    mappedList(to, (row) => edgeOfIntroduction(row, 'in')),
    mappedList(consents, (row) => edgeOfConsent(row, agentId === undefined ? 'out' : 'in')),
  ]
  return joinedList(
    lists,
    (edge) =>
      isOf(edge, id) && isInState(edge, state) && (direction === 'all' || edge.direction === direction || edge.direction === 'inside'),
  )
}

const isOf = ({ from, to, kind }: Edge, id: string | undefined): boolean =>
  id === undefined || kind === 'consent' || from === id || to === id || !id.startsWith('res_')

const isInState = ({ kind, isLive }: Edge, state: EdgeState): boolean =>
  kind === 'introduction' || state === 'all' || (state === 'granted' && isLive)
