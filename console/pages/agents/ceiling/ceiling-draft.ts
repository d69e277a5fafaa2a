import { type Audience, OrgId } from '../../../../src/protocol/ids.js'
import { Ceiling, isWithinCeiling, REGISTRY_SCOPES } from '../../../../src/protocol/rights.js'
import type { Input } from '../../../api/procedures.js'
import type { AgentView } from '../abilities.js'

type CeilingInput = NonNullable<Input<'agents.change'>['ceiling']>
export type Right = NonNullable<CeilingInput['rights']>[number]
type OwnScope = NonNullable<CeilingInput['scopes']>[number]

/** A ceiling as the editor changes it: scopes at the registry apart from rights towards others. */
export interface CeilingDraft {
  readonly scopes: readonly OwnScope[]
  readonly rights: readonly Right[]
  /** Absent: every tool. */
  readonly tools?: readonly string[] | undefined
  readonly resources?: readonly string[] | undefined
  readonly tokenSeconds: number
  readonly delegationDepth: number
}

/** The scopes that the ceiling of an agent may have. */
export const OWN_SCOPES: readonly OwnScope[] = REGISTRY_SCOPES.filter((scope) => scope !== 'admin')

/** The ceiling of an agent that is registered without one. */
export const NEW_CEILING: CeilingDraft = {
  scopes: OWN_SCOPES.filter((scope) => scope !== 'agents:write'),
  rights: [],
  tokenSeconds: 900,
  delegationDepth: 0,
}

export function draftOf({ rights, tools, resources, tokenSeconds, delegationDepth }: AgentView['ceiling'], issuer: string): CeilingDraft {
  const own = rights.filter(({ audience }) => audience === issuer).map(({ scope }) => scope as string)
  return {
    scopes: OWN_SCOPES.filter((scope) => own.includes(scope)),
    rights: rights.filter(({ audience }) => audience !== issuer),
    tools,
    resources,
    tokenSeconds,
    delegationDepth,
  }
}

export const inputOf = ({ scopes, rights, tools, resources, ...numbers }: CeilingDraft): CeilingInput => ({
  scopes: [...scopes],
  rights: [...rights],
  ...(tools && { tools: [...tools] }),
  ...(resources && { resources: [...resources] }),
  ...numbers,
})

export const nameOfRight = ({ audience, scope }: Right): string => `${JSON.stringify(audience)} ${scope}`

interface Preset {
  readonly label: string
  /** True if the preset needs the scopes that the agent may ask of those that it calls. */
  readonly needsScopes?: true
  readonly apply: (draft: CeilingDraft, given: { readonly orgId: string; readonly scopes: readonly string[] }) => CeilingDraft
}

export const PRESETS: Readonly<Record<string, Preset>> = {
  nobody: { label: 'cannot call others', apply: (draft) => ({ ...draft, rights: [], delegationDepth: 0 }) },
  organisation: {
    label: 'calls agents of this organisation',
    needsScopes: true,
    apply: (draft, { orgId, scopes }) => ({ ...draft, rights: scopes.map((scope) => ({ audience: { organisation: orgId }, scope })) }),
  },
  any: {
    label: 'calls any agent of this registry',
    needsScopes: true,
    apply: (draft, { scopes }) => ({ ...draft, rights: scopes.map((scope) => ({ audience: { anyAgent: true }, scope })) }),
  },
  once: { label: 'may delegate once', apply: (draft) => ({ ...draft, delegationDepth: 1 }) },
}

/** A difference between two ceilings. */
export interface Change {
  readonly isAdded: boolean
  readonly right?: Right
  readonly text?: string
}

export function changesOf(before: CeilingDraft, after: CeilingDraft): readonly Change[] {
  const rights = (from: CeilingDraft, to: CeilingDraft) => {
    const known = new Set(from.rights.map(nameOfRight))
    return to.rights.filter((right) => !known.has(nameOfRight(right)))
  }
  const scopes = (from: CeilingDraft, to: CeilingDraft) => to.scopes.filter((scope) => !from.scopes.includes(scope))
  const values = (draft: CeilingDraft): readonly string[] => [
    `tools: ${namesText(draft.tools)}`,
    `resources: ${namesText(draft.resources)}`,
    `tokens are valid for at most ${draft.tokenSeconds} s`,
    draft.delegationDepth === 0 ? 'does not delegate' : `delegates to a depth of at most ${draft.delegationDepth}`,
  ]
  const side = (from: CeilingDraft, to: CeilingDraft, isAdded: boolean): readonly Change[] => [
    ...rights(from, to).map((right) => ({ isAdded, right })),
    ...scopes(from, to).map((scope) => ({ isAdded, text: `${scope} at this registry` })),
    ...values(to)
      .filter((text) => !values(from).includes(text))
      .map((text) => ({ isAdded, text })),
  ]
  return [...side(after, before, false), ...side(before, after, true)]
}

const namesText = (names: readonly string[] | undefined): string =>
  names === undefined ? 'any' : names.length === 0 ? 'none' : names.join(', ')

/**
 * True if `after` allows something that `before` does not. The organisations of single agents are not known here, so a right that replaces
 * a pattern counts as wider; the registry decides.
 */
export function isWider(before: CeilingDraft, after: CeilingDraft, issuer: string): boolean {
  const [old, next] = [before, after].map((draft) => Ceiling.safeParse(wholeOf(draft, issuer)).data)
  return old === undefined || next === undefined || !isWithinCeiling(next, old, (_: Audience) => undefined)
}

const wholeOf = ({ scopes, rights, ...rest }: CeilingDraft, issuer: string) => ({
  ...rest,
  rights: [...scopes.map((scope) => ({ audience: issuer, scope })), ...rights],
})

/** The audience that a person means: the id or the audience of an agent, the URI of a resource, the id of an organisation, or any agent. */
export function audienceOf(text: string, issuer: string): Right['audience'] | undefined {
  const trimmed = text.trim()
  if (trimmed === 'any') return { anyAgent: true }
  if (OrgId.safeParse(trimmed).success) return { organisation: trimmed }
  if (/^agt_[A-Za-z0-9_-]{22}$/.test(trimmed)) return `${issuer}/agents/${trimmed}`
  return /^https?:\/\/./.test(trimmed) ? trimmed : undefined
}
