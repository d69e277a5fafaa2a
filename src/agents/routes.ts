import { z } from 'zod'
import type { EnrolDeps } from '../enrolments/enrol.js'
import { findEnrolments } from '../enrolments/find.js'
import { OfferedJwk, OfferedProof } from '../enrolments/routes.js'
import { ContactPolicy } from '../protocol/contact-policy.js'
import { AgentId, audienceOf, OrgId } from '../protocol/ids.js'
import { stands } from '../protocol/standing.js'
import type { Storage } from '../storage/storage.js'
import { PageInput, pageOf, placeOf } from '../transport/paging.js'
import { openProcedure, procedureFor, router } from '../transport/trpc.js'
import { CeilingInput } from './agent.js'
import { requireAgent } from './authority.js'
import { changeAgent } from './change.js'
import { confirmAgent } from './confirm.js'
import { endingOf } from './end-agent.js'
import { type RegisterDeps, registerAgent } from './register.js'
import { reinstateAgent } from './reinstate.js'
import { revokeAgent } from './revoke.js'
import type { Agent } from './store.js'
import { suspendAgent } from './suspend.js'

const ById = z.strictObject({ agentId: AgentId })
const Name = z.string().trim().min(1).max(128)

export const agentsRoutes = (deps: RegisterDeps & EnrolDeps & { readonly storage: Storage }) =>
  router({
    register: procedureFor('agents:write')
      .input(
        z.strictObject({
          orgId: OrgId.optional(),
          name: Name,
          ceiling: CeilingInput.prefault({}),
          contact: ContactPolicy.prefault({ mode: 'ask' }),
        }),
      )
      .mutation(({ ctx, input }) => registerAgent(deps, ctx.caller, input)),
    confirm: openProcedure
      .input(ById.extend({ registrationToken: z.string().min(1).max(128), jwk: OfferedJwk, proof: OfferedProof }))
      .mutation(({ input }) => confirmAgent(deps, input)),
    get: procedureFor('agents:write')
      .input(ById)
      .query(async ({ ctx, input }) => {
        await deps.trustLog.fence()
        return viewOf(deps, await requireAgent(deps, ctx.caller, input.agentId, 'see'))
      }),
    list: procedureFor('agents:write')
      .input(PageInput.extend({ orgId: OrgId.optional() }).prefault({}))
      .query(async ({ ctx: { caller }, input: { orgId, ...paging } }) => {
        await deps.trustLog.fence()
        const { collection } = deps.agents
        const page =
          caller.kind === 'agent'
            ? await collection.find('parent', { where: { parent: AgentId.parse(caller.id) }, ...placeOf(paging) })
            : await collection.find('organisation', {
                where: { orgId: caller.role === 'operator' ? (orgId ?? caller.orgId) : caller.orgId },
                ...placeOf(paging),
              })
        const { items, cursor } = pageOf(page, (agent) => (agent.hidden === undefined ? agent : undefined))
        return { items: await Promise.all(items.map((agent) => viewOf(deps, agent))), ...(cursor && { cursor }) }
      }),
    change: procedureFor('agents:write')
      .input(ById.extend({ name: Name.optional(), ceiling: CeilingInput.optional(), contact: ContactPolicy.optional() }))
      .mutation(({ ctx, input }) => changeAgent(deps, ctx.caller, input)),
    suspend: procedureFor('agents:write')
      .input(ById)
      .mutation(({ ctx, input }) => suspendAgent(deps, ctx.caller, input.agentId)),
    reinstate: procedureFor('agents:write')
      .input(ById)
      .mutation(({ ctx, input }) => reinstateAgent(deps, ctx.caller, input.agentId)),
    revoke: procedureFor('agents:write')
      .input(ById)
      .mutation(({ ctx, input }) => revokeAgent(deps, ctx.caller, input.agentId)),
  })

async function viewOf(deps: RegisterDeps, agent: Agent) {
  const { id, orgId, name, parent, ceiling, contact, handle, at } = agent
  const isEnded = deps.trustLog.ended.has(handle)
  const keys = isEnded ? [] : await findEnrolments(deps, id)
  const state = isEnded
    ? endingOf(agent).how === 'revoked'
      ? ('revoked' as const)
      : ('suspended' as const)
    : keys.some((key) => stands(deps.trustLog.ended, [key.handle]))
      ? ('active' as const)
      : ('registered' as const)
  return { agentId: id, orgId, name, audience: audienceOf(deps.issuer, id), state, parent, ceiling, contact, registeredAt: at }
}
