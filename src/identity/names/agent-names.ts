// Names of agents. Within an organisation, and under a namespace, a name belongs to one agent for ever: also after the agent was renamed or revoked,
// so a client that has stored the name never reaches another agent by it. Names that look alike (UTS 39) count as one.
import { digestOfText } from '../../credentials/jose/digest.js'
import { refuse } from '../../errors.js'
import { isMixedScript } from '../../lib/hosts/mixed-script.js'
import { skeletonsAsShown } from '../../lib/hosts/skeleton.js'
import type { AgentId } from '../../protocol/ids.js'
import type { Operation } from '../../storage/storage.js'
import type { TrustLog } from '../../trust-log/trust-log.js'
import type { FindAgentDeps } from '../agents/find.js'
import type { Agent } from '../agents/store.js'
import { findRegisteredKeys } from '../keys/find.js'

interface NamesDeps extends Pick<FindAgentDeps, 'agents' | 'registeredKeys'> {
  readonly trustLog: Pick<TrustLog, 'ended'>
}

/** Control, format (among them all bidirectional controls) and unassigned characters, line separators, and characters that are shown as nothing. */
const UNREADABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Cn}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u
/** Scripts that are often written together with Latin words, and look like none of its letters. */
const EAST_ASIAN = /[\p{scx=Han}\p{scx=Hiragana}\p{scx=Katakana}\p{scx=Hangul}\p{scx=Bopomofo}]/gu

/** Refuses a name with characters that cannot be seen, one with a word that mixes writing systems, and one that looks like RESERVED. */
export function requireReadableName(name: string): void {
  if (UNREADABLE.test(name))
    refuse('bad_input', 'the name has characters that cannot be seen', {
      faults: [{ pointer: '/name', hint: 'leave out control characters, zero-width characters and line breaks' }],
    })
  const words = name.split(/[^\p{L}\p{M}\p{N}]+/u).map((word) => word.replaceAll(EAST_ASIAN, ''))
  if (words.some(isMixedScript))
    refuse('name_confusable', 'a word of the name mixes writing systems, so it can look like another name (UTS 39)', {
      faults: [{ pointer: '/name', hint: 'write each word in the letters of one writing system' }],
    })
  if (skeletonsAsShown(shownForm(name)).some((skeleton) => RESERVED_SKELETONS.has(skeleton)))
    refuse('name_reserved', `the name ${RESERVED} is reserved, because it stands for every agent (any=<scope>)`, {
      faults: [{ pointer: '/name', hint: HINT }],
    })
}

/** Where an agent is named, this word stands for every agent. */
const RESERVED = 'any'
const RESERVED_SKELETONS = new Set(skeletonsAsShown(RESERVED))

/** The ids that a name reserves; by the first it is found. Spaces, hyphens, underscores and case make no difference. */
const nameIds = (scope: string, name: string): readonly string[] =>
  skeletonsAsShown(shownForm(name)).map((skeleton) => digestOfText(`${scope} ${skeleton}`))

const shownForm = (name: string): string =>
  name
    .normalize('NFKC')
    .trim()
    .replaceAll(/[\s_\p{Pd}]+/gu, '-')

type NamedAgent = Pick<Agent, 'id' | 'orgId' | 'name'>

/**
 * Operations that give a name to an agent, within its organisation or within a namespace (`scope`). Refuses a name that another agent has or had.
 * A registration that was never confirmed loses its name when it expires or is revoked.
 */
export async function takingName(deps: NamesDeps, scope: string, agent: NamedAgent): Promise<readonly Operation[]> {
  const { operations, owner } = await decideName(deps, scope, agent)
  if (!owner) return operations
  const { holder, id } = owner
  const isInUse = holder !== undefined && holder.endedState !== 'revoked' && nameIds(scope, holder.name).includes(id)
  return isInUse
    ? refuse('already_exists', 'another agent has this name, or one that looks like it', { faults: [{ pointer: '/name', hint: HINT }] })
    : refuse('name_reserved', 'this name, or one that looks like it, belonged to another agent', {
        faults: [{ pointer: '/name', hint: HINT }],
      })
}

/** Like takingName, but leaves a name to another agent that has or had it. */
export const takingFreeName = async (deps: NamesDeps, scope: string, agent: NamedAgent): Promise<readonly Operation[]> => {
  const { operations, owner } = await decideName(deps, scope, agent)
  return owner ? [] : operations
}

interface NameDecision {
  readonly operations: readonly Operation[]
  /** The other agent that has or had the name, if its record exists, and the id that it reserves. */
  readonly owner?: { readonly holder: Agent | undefined; readonly id: string }
}

async function decideName(deps: NamesDeps, scope: string, { id: agentId, orgId, name }: NamedAgent): Promise<NameDecision> {
  const { agents } = deps
  const operations: Operation[] = []
  for (const id of nameIds(scope, name)) {
    const held = await agents.names.get(id)
    if (held === undefined) operations.push(agents.names.inserting({ id, orgId, agentId }))
    else if (held.agentId !== agentId) {
      const holder = await agents.get(held.agentId)
      if (!holder || !(await wasNeverConfirmed(deps, holder))) return { operations: [], owner: { holder, id } }
      operations.push(agents.names.changing(id, { agentId: holder.id }, { agentId, orgId }))
    }
  }
  return { operations }
}

/** The agent that has, or had, this name or one that looks like it. */
export async function findNamed({ agents }: Pick<FindAgentDeps, 'agents'>, scope: string, name: string): Promise<AgentId | undefined> {
  const [id = ''] = nameIds(scope, name)
  return (await agents.names.get(id))?.agentId
}

const HINT = 'choose another name, for example with a number'

async function wasNeverConfirmed(deps: NamesDeps, { id, handle, clientUri }: Agent): Promise<boolean> {
  // An agent with the keys of its metadata document needs no registered key
  if (clientUri !== undefined) return false
  const mayConfirm = (await deps.agents.registrations.get(id)) !== undefined && !deps.trustLog.ended.has(handle)
  return !mayConfirm && (await findRegisteredKeys(deps, id)).length === 0
}
