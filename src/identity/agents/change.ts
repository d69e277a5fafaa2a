import { auditDraft } from '../../audit/audit-draft.js'
import { refuse } from '../../errors.js'
import { type Caller, isAdminOf } from '../../http/caller.js'
import { shortened } from '../../lib/text.js'
import { identitiesOf, newHandle } from '../../protocol/handles.js'
import type { AgentId } from '../../protocol/ids.js'
import type { IntroductionPolicy } from '../../protocol/introduction-policy.js'
import { type Ceiling, type CeilingRight, isWithinCeiling, nameOfRight, type Restrictions } from '../../protocol/rights.js'
import { stands } from '../../protocol/standing.js'
import type { Operation } from '../../storage/storage.js'
import { changesUpTo } from '../clients/metadata/changes.js'
import { requireRedirectUris } from '../clients/metadata/redirect-uris.js'
import { organisationsOf } from '../clients/organisations-of.js'
import { requireLevel } from '../levels/find.js'
import { requireReadableName, takingName } from '../names/agent-names.js'
import { type CeilingInput, ceilingOf, type RightsChange, withRights } from './agent.js'
import { type AgentsDeps, requireAgent } from './authority.js'
import type { Agent } from './store.js'

interface AgentChange extends RightsChange {
  readonly agentId: AgentId
  readonly name?: string | undefined
  /** Null removes it; so for the type. */
  readonly description?: string | null | undefined
  readonly agentType?: string | null | undefined
  readonly maxScopeLevel?: string | null | undefined
  readonly ceiling?: CeilingInput | undefined
  readonly introductionPolicy?: IntroductionPolicy | undefined
  readonly understands?: Restrictions | undefined
  readonly redirectUris?: readonly string[] | null | undefined
  /** Why, for the people who read the audit. */
  readonly note?: string | undefined
}

/**
 * Changes name, description, type, ceiling, scope level, introduction policy or what its server understands. Only an administrator may widen the ceiling, and
 * replace or remove a scope level; others may narrow the ceiling and set a first level.
 * A new ceiling, policy or understanding ends the old version, even if the new one is wider, so every decision that depended on the old version is void.
 */
export async function changeAgent(
  deps: AgentsDeps,
  caller: Caller,
  {
    agentId,
    name,
    description,
    agentType,
    maxScopeLevel,
    ceiling,
    introductionPolicy,
    understands,
    redirectUris,
    note,
    ...rights
  }: AgentChange,
): Promise<{ agentId: AgentId }> {
  const agent = await requireAgent(deps, caller, agentId, 'change')
  const { handle, ceilingVer, introductionPolicyVer } = agent
  const nextCeiling = nextCeilingOf(deps, agent.ceiling, ceiling, rights)
  if (nextCeiling && agent.memberId !== undefined)
    refuse(
      'bad_input',
      'ceiling: the consents of the person are the ceiling of an agent on their device; narrow a consent, or connect the device again',
    )
  if (nextCeiling) await requireMayWiden(deps, caller, agent, nextCeiling)
  const bound = await nextLevelOf(deps, caller, agent, maxScopeLevel)
  const endsCeiling = nextCeiling !== undefined || maxScopeLevel !== undefined
  if (!stands(deps.trustLog.ended, [handle, ceilingVer, introductionPolicyVer]))
    refuse('already_revoked', 'the agent is suspended or revoked; a suspended agent can be changed once it is reinstated')
  const fresh = { ceilingVer: newHandle(deps.random, 'ver'), introductionPolicyVer: newHandle(deps.random, 'ver') }
  const changesTarget = introductionPolicy !== undefined || understands !== undefined
  const next = {
    ...(name !== undefined && { name }),
    ...(description !== undefined && { description: description ?? undefined }),
    ...(agentType !== undefined && { agentType: agentType ?? undefined }),
    ...(redirectUris !== undefined && { redirectUris: redirectUris === null ? undefined : requireRedirectUris(redirectUris) }),
    ...(nextCeiling && { ceiling: nextCeiling }),
    ...(maxScopeLevel !== undefined && { maxScopeLevel: maxScopeLevel ?? undefined }),
    ...(endsCeiling && { ceilingVer: fresh.ceilingVer }),
    ...(introductionPolicy && { introductionPolicy }),
    ...(understands && { understands }),
    ...(changesTarget && { introductionPolicyVer: fresh.introductionPolicyVer }),
  }
  if (Object.keys(next).length === 0) return { agentId }
  const changes = changesUpTo(caller.barrier.now, agent.changes, agent, { ...agent, ...next })
  const ends = [...(endsCeiling ? [{ handle: ceilingVer }] : []), ...(changesTarget ? [{ handle: introductionPolicyVer }] : [])]
  if (name !== undefined) requireReadableName(name)
  const namingOperations = name === undefined ? [] : await takingName(deps, agent.orgId, { ...agent, name })
  const facts = factsOfChange(agent, { ...agent, ...next })
  const draft = auditDraft(caller, 'agents.change', { orgId: agent.orgId, subject: agentId, facts })
  const { outcome } = await deps.trustLog.commit({
    type: 'record.changed',
    ends,
    dependsOn: [handle, ceilingVer, introductionPolicyVer, ...identitiesOf(caller.dependencies.handles)],
    operations: [
      deps.agents.changing(agentId, { handle, ceilingVer, introductionPolicyVer }, { ...next, ...changes }),
      ...namingOperations,
      ...(bound ? [bound] : []),
      ...deps.audit.recordingEnd(draft, { ends, reason: 'superseded', note }),
    ],
  })
  return outcome === 'committed'
    ? { agentId }
    : refuse('conflict', 'the agent was changed or revoked concurrently, or your own access was revoked; read it and try again')
}

/** The operation that begins the use of a level. */
async function nextLevelOf(
  deps: AgentsDeps,
  caller: Caller,
  { id, orgId, maxScopeLevel: current }: Agent,
  name: string | null | undefined,
): Promise<Operation | undefined> {
  if (name !== undefined && current !== undefined && name !== current && !isAdminOf(caller, orgId))
    refuse('forbidden', 'only an administrator of the organisation may replace or remove the scope level of an agent')
  return typeof name === 'string' ? (await requireLevel(deps, orgId, name, id)).using : undefined
}

function nextCeilingOf(
  { issuer }: AgentsDeps,
  current: Ceiling,
  whole: CeilingInput | undefined,
  rights: RightsChange,
): Ceiling | undefined {
  const changesRights = rights.addRights !== undefined || rights.removeRights !== undefined
  if (whole === undefined) return changesRights ? withRights(issuer, current, rights) : undefined
  return changesRights
    ? refuse('bad_input', 'send either a whole ceiling, or rights to add and remove', {
        faults: [{ pointer: '/ceiling', hint: 'leave it out, or leave out addRights and removeRights' }],
      })
    : ceilingOf(issuer, whole)
}

async function requireMayWiden(deps: AgentsDeps, caller: Caller, agent: Agent, next: Ceiling): Promise<void> {
  if (isAdminOf(caller, agent.orgId)) return
  const audiences = next.rights.map(({ audience }) => audience)
  const orgOf = await organisationsOf(deps.issuer, audiences, (id) => deps.agents.get(id))
  if (!isWithinCeiling(next, agent.ceiling, orgOf))
    refuse('forbidden', 'only an administrator of the organisation may widen the ceiling of an agent')
}

/** Maximum length of a fact of an audit row. */
const MAX_FACT = 512

const FIELDS = [
  'name',
  'description',
  'agentType',
  'maxScopeLevel',
  'ceiling',
  'introductionPolicy',
  'understands',
  'redirectUris',
] as const satisfies readonly (keyof Agent)[]

/** What a change of an agent has changed, for its audit row: the names of the fields, and the rights and bounds of the ceiling. */
function factsOfChange(before: Agent, after: Agent): Readonly<Record<string, string>> {
  const changed = FIELDS.filter((name) => textOf(before[name]) !== textOf(after[name])).join(' ')
  const facts = Object.entries({ changed, ...factsOfCeiling(before.ceiling, after.ceiling), ...factsOfModes(before, after) })
  return Object.fromEntries(facts.filter(([, text]) => text !== '').map(([name, text]) => [name, shortened(text, MAX_FACT)]))
}

function factsOfCeiling(before: Ceiling, after: Ceiling): Readonly<Record<string, string>> {
  const bounds = (['tokenSeconds', 'delegationDepth'] as const).flatMap((name) =>
    before[name] === after[name] ? [] : [[name, `${before[name]} → ${after[name]}`] as const],
  )
  const names = (['tools', 'resources'] as const).map((name) => [name, changeOfNames(before[name], after[name])] as const)
  return {
    added: listed(rightsBeside(after, before), ', ', MAX_FACT),
    removed: listed(rightsBeside(before, after), ', ', MAX_FACT),
    ...Object.fromEntries([...names, ...bounds]),
  }
}

/** Both lists if they fit, else how long they are and what was added and removed. Empty if they are equal. */
function changeOfNames(before: readonly string[] | undefined, after: readonly string[] | undefined): string {
  const [old, next] = [before?.join(' ') ?? 'any', after?.join(' ') ?? 'any']
  if (old === next) return ''
  const whole = `${old} → ${next}`
  if (whole.length <= MAX_FACT) return whole
  const count = (names: readonly string[] | undefined) => (names ? `${names.length} names` : 'any')
  const beside = (names: readonly string[] = [], others: readonly string[] = []) => {
    const known = new Set(others)
    return listed(
      names.filter((name) => !known.has(name)),
      ' ',
      MAX_FACT / 2 - 32,
    )
  }
  const parts = [
    ['added', beside(after, before)],
    ['removed', beside(before, after)],
  ].filter(([, text]) => text !== '')
  return [`${count(before)} → ${count(after)}`, ...parts.map(([what, text]) => `${what}: ${text}`)].join('; ')
}

/** The items, or their number, as many as fit, and that there are more. An item is not cut, unless it is the first. */
function listed(items: readonly string[], separator: string, max: number): string {
  const whole = items.join(separator)
  if (whole.length <= max) return whole
  const frame = (text: string, shown: number) => `${items.length} in all: ${text} … and ${items.length - shown} more`
  let shown = 0
  let text = ''
  for (const item of items) {
    const next = shown === 0 ? item : `${text}${separator}${item}`
    if (frame(next, shown).length > max) break
    text = next
    shown++
  }
  if (shown > 0) return frame(text, shown)
  const first = items[0] ?? ''
  return frame(shortened(first, max - frame('', 0).length), 0)
}

const factsOfModes = (before: Agent, after: Agent): Readonly<Record<string, string>> => {
  const [old, next] = [before.introductionPolicy.mode, after.introductionPolicy.mode]
  return old === next ? {} : { introductions: `${old} → ${next}` }
}

/** The rights of one ceiling that the other does not have. */
function rightsBeside({ rights }: Ceiling, { rights: others }: Ceiling): readonly string[] {
  const known = new Set(others.map(nameOfRight))
  return rights.filter((right) => !known.has(nameOfRight(right))).map(textOfRight)
}

const textOfRight = ({ audience, scope }: CeilingRight): string =>
  `${scope} at ${typeof audience === 'string' ? audience : 'anyAgent' in audience ? 'any agent' : audience.organisation}`

const textOf = (value: Agent[(typeof FIELDS)[number]]): string => JSON.stringify(value) ?? ''
