// Agents on the device of a person. Their ceiling is the rights of the person's current consents to them. Narrowing, revoking or expiry of a consent
// narrows the agent in the same way, and the end of the membership ends the consents.
import type { Handle } from '../../protocol/handles.js'
import { type AgentId, Audience, type MemberId } from '../../protocol/ids.js'
import type { Bounds, Ceiling } from '../../protocol/rights.js'
import { narrowNames } from '../../protocol/rights.js'
import { type Dependencies, joinDependencies } from '../../protocol/standing.js'
import type { Agent } from '../agents/store.js'

/** A consent that stands. */
interface StandingConsent {
  readonly bounds: Bounds
  readonly dependencies: Dependencies
  readonly handles: readonly Handle[]
}

export interface DeviceAgentDeps {
  /** The consent of a person to an agent at an audience, if it stands (delegation/consents). */
  readonly findConsent: (of: {
    readonly memberId: MemberId
    readonly clientId: AgentId
    readonly audience: Audience
  }) => Promise<StandingConsent | undefined>
}

/** The present bounds of an agent on a device, and everything that they depend on. */
interface DeviceBounds {
  readonly ceiling: Ceiling
  readonly dependencies: Dependencies
  readonly handles: readonly Handle[]
}

/** Undefined if no consent of the person stands: then the agent has ended. */
export async function readDeviceBounds(
  { findConsent }: DeviceAgentDeps,
  { id, ceiling }: Pick<Agent, 'id' | 'ceiling'>,
  memberId: MemberId,
): Promise<DeviceBounds | undefined> {
  const audiences = new Set(ceiling.rights.flatMap(({ audience }) => (typeof audience === 'string' ? [audience] : [])))
  const found = await Promise.all(
    [...audiences].map(async (audience) => {
      const consent = await findConsent({ memberId, clientId: id, audience })
      return consent ? [{ audience, ...consent }] : []
    }),
  )
  const consents = found.flat()
  if (consents.length === 0) return undefined
  const all = consents.map(({ bounds }) => bounds)
  const tools = all.map((bounds): readonly string[] | undefined => bounds.tools).reduce(narrowNames)
  const resources = all.map((bounds): readonly string[] | undefined => bounds.resources).reduce(narrowNames)
  return {
    ceiling: {
      rights: consents.flatMap(({ audience, bounds: { scopes, delegation } }) => [
        ...scopes.map((scope) => ({ audience: Audience.parse(audience), scope })),
        ...(delegation?.rights ?? []),
      ]),
      ...(tools && { tools: [...tools] }),
      ...(resources && { resources: [...resources] }),
      tokenSeconds: ceiling.tokenSeconds,
      delegationDepth: Math.max(0, ...all.map(({ delegation }) => delegation?.depth ?? 0)),
    },
    dependencies: joinDependencies(...consents.map(({ dependencies }) => dependencies)),
    handles: consents.flatMap(({ handles }) => handles),
  }
}
