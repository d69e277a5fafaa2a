import { z } from 'zod'
import { ACTING_ROLES, type InviterDeps } from '../../http/caller.js'
import { PageInput } from '../../http/paging.js'
import { creationFor, procedureFor, publicProcedure, router } from '../../http/trpc/procedures.js'
import { REVOCATION_INPUT } from '../../protocol/end-reason.js'
import { AgentId, AgentType, MemberId, OrgId } from '../../protocol/ids.js'
import { IntroductionPolicy } from '../../protocol/introduction-policy.js'
import { CeilingRight, MAX_NAMES, Restrictions } from '../../protocol/rights.js'
import type { Storage } from '../../storage/storage.js'
import { type AdmitDeps, type AgentAdmitted, admitAgent } from '../clients/admit.js'
import type { RegisterKeyDeps } from '../keys/register.js'
import { OfferedJwk, OfferedProof } from '../keys/routes.js'
import { LevelName } from '../levels/store.js'
import { CeilingInput } from './agent.js'
import { changeAgent } from './change.js'
import { confirmAgent } from './confirm.js'
import { AGENT_STATES, getAgent } from './get.js'
import { type ListAgentsDeps, listAgents } from './list.js'
import { type AgentRegistered, registerAgent } from './register.js'
import { reinstateAgent } from './reinstate.js'
import { revokeAgent } from './revoke.js'
import { suspendAgent } from './suspend.js'

const ById = z.strictObject({ agentId: AgentId })
const ByIdOrName = z
  .strictObject({ agentId: AgentId.optional(), name: z.string().max(128).optional(), orgId: OrgId.optional() })
  .refine(
    ({ agentId, name, orgId }) => (agentId === undefined) !== (name === undefined) && (agentId === undefined || orgId === undefined),
    {
      message: 'either `agentId`, or `name` with or without `orgId`, is required',
    },
  )
const ListInput = PageInput.extend({
  orgId: OrgId.optional(),
  /** The agents that this member registered. */
  memberId: MemberId.optional(),
  /** The agents that this one registered. */
  parent: AgentId.optional(),
  /** Agents whose names contain it, in upper or lower case. */
  name: z.string().trim().min(1).max(128).optional(),
  state: z.enum(AGENT_STATES).optional(),
}).refine(({ memberId, parent }) => memberId === undefined || parent === undefined, {
  path: ['parent'],
  message: 'not together with memberId',
})
const Rights = z.array(CeilingRight).min(1).max(MAX_NAMES)
const Name = z.string().trim().min(1).max(128)
/** The URLs to which the browser of a person may be sent with an authorization code. */
const RedirectUris = z.array(z.string().min(1).max(2048)).min(1).max(16)
const Description = z.string().trim().min(1).max(1024)

export const agentsRoutes = (deps: AdmitDeps & RegisterKeyDeps & InviterDeps & ListAgentsDeps & { readonly storage: Storage }) =>
  router({
    register: creationFor('agents:write', ACTING_ROLES)
      .input(
        z.strictObject({
          orgId: OrgId.optional(),
          name: Name,
          description: Description.optional(),
          agentType: AgentType.optional(),
          maxScopeLevel: LevelName.optional(),
          ceiling: CeilingInput.prefault({}),
          introductionPolicy: IntroductionPolicy.prefault({ mode: 'ask' }),
          understands: Restrictions.optional(),
          redirectUris: RedirectUris.optional(),
        }),
      )
      .mutation(({ ctx, input }): Promise<AgentRegistered> => registerAgent(deps, ctx.caller, input)),
    admit: creationFor('agents:write', ['member', 'administrator', 'operator'])
      .input(
        z.strictObject({
          clientId: z.string().min(1).max(512),
          name: Name,
          ceiling: CeilingInput.prefault({}),
          introductionPolicy: IntroductionPolicy.prefault({ mode: 'ask' }),
        }),
      )
      .mutation(({ ctx, input }): Promise<AgentAdmitted> => admitAgent(deps, ctx.caller, input)),
    confirm: publicProcedure
      .input(ById.extend({ registrationToken: z.string().min(1).max(128), jwk: OfferedJwk, proof: OfferedProof }))
      .mutation(({ input }) => confirmAgent(deps, input)),
    get: procedureFor('agents:write')
      .input(ByIdOrName)
      .query(({ ctx, input }) => getAgent(deps, ctx.caller, input)),
    list: procedureFor('agents:write')
      .input(ListInput.prefault({}))
      .query(({ ctx, input }) => listAgents(deps, ctx.caller, input)),
    change: procedureFor('agents:write')
      .input(
        ById.extend({
          name: Name.optional(),
          description: Description.nullish(),
          agentType: AgentType.nullish(),
          maxScopeLevel: LevelName.nullish(),
          ceiling: CeilingInput.optional(),
          addRights: Rights.optional(),
          removeRights: Rights.optional(),
          introductionPolicy: IntroductionPolicy.optional(),
          understands: Restrictions.optional(),
          redirectUris: RedirectUris.nullish(),
          note: REVOCATION_INPUT.note,
        }),
      )
      .mutation(({ ctx, input }) => changeAgent(deps, ctx.caller, input)),
    suspend: procedureFor('agents:write')
      .input(ById.extend(REVOCATION_INPUT))
      .mutation(({ ctx, input: { agentId, ...because } }) => suspendAgent(deps, ctx.caller, agentId, because)),
    reinstate: procedureFor('agents:write')
      .input(ById)
      .mutation(({ ctx, input }) => reinstateAgent(deps, ctx.caller, input.agentId)),
    revoke: procedureFor('agents:write')
      .input(ById.extend(REVOCATION_INPUT))
      .mutation(({ ctx, input: { agentId, ...because } }) => revokeAgent(deps, ctx.caller, agentId, because)),
  })
