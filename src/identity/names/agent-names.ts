// Names of agents. Within an organisation, and under a namespace, a name belongs to one agent for ever: also after the agent was renamed or revoked,
// so a client that has stored the name never reaches another agent by it. Names that look alike (UTS 39) count as one.
import { digestOfText } from '../../credentials/jose/digest.js'
import { refuse } from '../../errors.js'
import { isMixedScript } from '../../lib/hosts/mixed-script.js'
import { skeletonOf } from '../../lib/hosts/skeleton.js'
import type { AgentId, OrgId } from '../../protocol/ids.js'
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

/** Refuses a name with characters that cannot be seen, and one with a word that mixes writing systems. */
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
}

/** Spaces, hyphens, underscores and case make no difference. */
const nameId = (scope: string, name: string): string =>
  digestOfText(
    `${scope} ${skeletonOf(
      name
        .normalize('NFKC')
        .trim()
        .replaceAll(/[\s_\p{Pd}]+/gu, '-'),
    )}`,
  )

/**
 * Operations that give a name to an agent, within its organisation or within a namespace (`scope`). Refuses a name that another agent has or had.
 * A registration that was never confirmed loses its name when it expires or is revoked.
 */
export async function takingName(
  deps: NamesDeps,
  scope: string,
  { id: agentId, orgId, name }: { readonly id: AgentId; readonly orgId: OrgId; readonly name: string },
): Promise<readonly Operation[]> {
  const { agents } = deps
  const id = nameId(scope, name)
  const held = await agents.names.get(id)
  if (held === undefined) return [agents.names.inserting({ id, orgId, agentId })]
  if (held.agentId === agentId) return []
  const holder = await agents.get(held.agentId)
  if (holder && (await wasNeverConfirmed(deps, holder))) return [agents.names.changing(id, { agentId: holder.id }, { agentId, orgId })]
  const isInUse = holder !== undefined && holder.endedState !== 'revoked' && nameId(scope, holder.name) === id
  return isInUse
    ? refuse('already_exists', 'another agent has this name, or one that looks like it', { faults: [{ pointer: '/name', hint: HINT }] })
    : refuse('name_reserved', 'this name, or one that looks like it, belonged to another agent', {
        faults: [{ pointer: '/name', hint: HINT }],
      })
}

/** The agent that has, or had, this name or one that looks like it. */
export const findNamed = async ({ agents }: Pick<FindAgentDeps, 'agents'>, scope: string, name: string): Promise<AgentId | undefined> =>
  (await agents.names.get(nameId(scope, name)))?.agentId

const HINT = 'choose another name, for example with a number'

async function wasNeverConfirmed(deps: NamesDeps, { id, handle }: Agent): Promise<boolean> {
  const mayConfirm = (await deps.agents.registrations.get(id)) !== undefined && !deps.trustLog.ended.has(handle)
  return !mayConfirm && (await findRegisteredKeys(deps, id)).length === 0
}
