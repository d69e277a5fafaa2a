import { agentsRoutes } from './agents/routes.js'
import { auditRoutes } from './audit/routes.js'
import { cardsRoutes } from './cards/routes.js'
import { discoveryRoutes } from './discovery/routes.js'
import { enrolmentsRoutes } from './enrolments/routes.js'
import { introductionsRoutes } from './introductions/routes.js'
import { keysRoutes } from './keys/routes.js'
import { membersRoutes } from './members/routes.js'
import { organisationsRoutes } from './organisations/routes.js'
import { revocationsRoutes, systemRoutes } from './revocations/routes.js'
import { tasksRoutes } from './tasks/routes.js'
import { tokensRoutes } from './tokens/routes.js'
import { router } from './transport/trpc.js'

/** What the features need, all together: each takes its part. */
export type RouterDeps = Parameters<typeof organisationsRoutes>[0] &
  Parameters<typeof membersRoutes>[0] &
  Parameters<typeof enrolmentsRoutes>[0] &
  Parameters<typeof agentsRoutes>[0] &
  Parameters<typeof auditRoutes>[0] &
  Parameters<typeof keysRoutes>[0] &
  Parameters<typeof tasksRoutes>[0] &
  Parameters<typeof cardsRoutes>[0] &
  Parameters<typeof introductionsRoutes>[0] &
  Parameters<typeof discoveryRoutes>[0] &
  Parameters<typeof tokensRoutes>[0] &
  Parameters<typeof revocationsRoutes>[0] &
  Parameters<typeof systemRoutes>[0]

/** All tRPC routes: the path `cards.publish` is `cards/publish.ts`. */
export const newRouter = (deps: RouterDeps) =>
  router({
    organisations: organisationsRoutes(deps),
    members: membersRoutes(deps),
    enrolments: enrolmentsRoutes(deps),
    agents: agentsRoutes(deps),
    cards: cardsRoutes(deps),
    discovery: discoveryRoutes(deps),
    introductions: introductionsRoutes(deps),
    tasks: tasksRoutes(deps),
    tokens: tokensRoutes(deps),
    revocations: revocationsRoutes(deps),
    keys: keysRoutes(deps),
    audit: auditRoutes(deps),
    system: systemRoutes(deps),
  })

export type AppRouter = ReturnType<typeof newRouter>
