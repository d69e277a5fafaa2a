import { auditRoutes } from '../audit/routes.js'
import { approvalsRoutes } from '../delegation/approvals/routes.js'
import { consentsRoutes } from '../delegation/consents/routes.js'
import { introductionsRoutes } from '../delegation/introductions/routes.js'
import { resourcesRoutes } from '../delegation/resources/routes.js'
import { tasksRoutes } from '../delegation/tasks/routes.js'
import { webhooksRoutes } from '../delegation/webhooks/routes.js'
import { router } from '../http/trpc/procedures.js'
import { agentsRoutes } from '../identity/agents/routes.js'
import { clientsRoutes } from '../identity/clients/routes.js'
import { registeredKeysRoutes } from '../identity/keys/routes.js'
import { levelsRoutes } from '../identity/levels/routes.js'
import { limitsRoutes } from '../identity/limits/routes.js'
import { membersRoutes } from '../identity/members/routes.js'
import { namespacesRoutes } from '../identity/namespaces/routes.js'
import { organisationsRoutes } from '../identity/organisations/routes.js'
import { issuersRoutes, linksRoutes, passkeysRoutes, sessionsRoutes } from '../identity/people/routes.js'
import { registrationsRoutes } from '../identity/registrations/routes.js'
import { familiesRoutes } from '../oauth/families/routes.js'
import { tokensRoutes } from '../oauth/routes.js'
import { cardsRoutes } from '../registry/cards/routes.js'
import { discoveryRoutes } from '../registry/discovery/routes.js'
import { revocationsRoutes, systemRoutes } from '../revocations/routes.js'
import { signingKeysRoutes } from '../signing-keys/routes.js'

/** The dependencies of the routes of all features. */
export type RouterDeps = Parameters<typeof organisationsRoutes>[0] &
  Parameters<typeof membersRoutes>[0] &
  Parameters<typeof sessionsRoutes>[0] &
  Parameters<typeof issuersRoutes>[0] &
  Parameters<typeof passkeysRoutes>[0] &
  Parameters<typeof registeredKeysRoutes>[0] &
  Parameters<typeof agentsRoutes>[0] &
  Parameters<typeof registrationsRoutes>[0] &
  Parameters<typeof clientsRoutes>[0] &
  Parameters<typeof levelsRoutes>[0] &
  Parameters<typeof namespacesRoutes>[0] &
  Parameters<typeof limitsRoutes>[0] &
  Parameters<typeof auditRoutes>[0] &
  Parameters<typeof signingKeysRoutes>[0] &
  Parameters<typeof resourcesRoutes>[0] &
  Parameters<typeof tasksRoutes>[0] &
  Parameters<typeof cardsRoutes>[0] &
  Parameters<typeof introductionsRoutes>[0] &
  Parameters<typeof approvalsRoutes>[0] &
  Parameters<typeof webhooksRoutes>[0] &
  Parameters<typeof consentsRoutes>[0] &
  Parameters<typeof familiesRoutes>[0] &
  Parameters<typeof discoveryRoutes>[0] &
  Parameters<typeof tokensRoutes>[0] &
  Parameters<typeof revocationsRoutes>[0] &
  Parameters<typeof systemRoutes>[0]

/** The tRPC router. The code of `cards.publish` is in `registry/cards/publish.ts`. */
export const newRouter = (deps: RouterDeps) =>
  router({
    organisations: organisationsRoutes(deps),
    members: membersRoutes(deps),
    sessions: sessionsRoutes(deps),
    issuers: issuersRoutes(deps),
    links: linksRoutes(deps),
    passkeys: passkeysRoutes(deps),
    keys: registeredKeysRoutes(deps),
    agents: agentsRoutes(deps),
    registrations: registrationsRoutes(deps),
    clients: clientsRoutes(deps),
    levels: levelsRoutes(deps),
    namespaces: namespacesRoutes(deps),
    cards: cardsRoutes(deps),
    discovery: discoveryRoutes(deps),
    introductions: introductionsRoutes(deps),
    approvals: approvalsRoutes(deps),
    webhooks: webhooksRoutes(deps),
    consents: consentsRoutes(deps),
    families: familiesRoutes(deps),
    resources: resourcesRoutes(deps),
    tasks: tasksRoutes(deps),
    tokens: tokensRoutes(deps),
    revocations: revocationsRoutes(deps),
    signingKeys: signingKeysRoutes(deps),
    limits: limitsRoutes(deps),
    audit: auditRoutes(deps),
    system: systemRoutes(deps),
  })

export type AppRouter = ReturnType<typeof newRouter>
