import type { ComponentType } from 'preact'
import { lazy } from 'preact-iso'

/** The pages, each with the pattern of its address. They are loaded when they are first shown. */
// biome-ignore format: one page a line
export const ROUTES: Readonly<Record<string, ComponentType<never>>> = {
  '/console/agents': lazy(() => import('./pages/agents/agents.js').then(({ Agents }) => Agents)),
  '/console/agents/register': lazy(() => import('./pages/agents/register-agent.js').then(({ RegisterAgent }) => RegisterAgent)),
  '/console/agents/:agentId': lazy(() => import('./pages/agents/agent.js').then(({ AgentPage }) => AgentPage)),
  '/console/cards/:agentId': lazy(() => import('./pages/cards/card.js').then(({ CardPage }) => CardPage)),
  '/console/cards/:agentId/request': lazy(() => import('./pages/find/request-introduction.js').then(({ RequestIntroduction }) => RequestIntroduction)),
  '/console/find': lazy(() => import('./pages/find/find.js').then(({ Find }) => Find)),
  '/console/reach': lazy(() => import('./pages/reach/reach.js').then(({ Reach }) => Reach)),
  '/console/reach/:id': lazy(() => import('./pages/reach/reach.js').then(({ Reach }) => Reach)),
  '/console/inbox': lazy(() => import('./pages/inbox/inbox.js').then(({ Inbox }) => Inbox)),
  '/console/introductions/:introductionId': lazy(() => import('./pages/introductions/introduction.js').then(({ IntroductionPage }) => IntroductionPage)),
  '/console/tasks': lazy(() => import('./pages/tasks/tasks.js').then(({ Tasks }) => Tasks)),
  '/console/tasks/create': lazy(() => import('./pages/tasks/create-task.js').then(({ CreateTask }) => CreateTask)),
  '/console/tasks/:taskId': lazy(() => import('./pages/tasks/task.js').then(({ TaskPage }) => TaskPage)),
  '/console/consents': lazy(() => import('./pages/consents/consents.js').then(({ Consents }) => Consents)),
  '/console/consents/:consentId': lazy(() => import('./pages/consents/consent.js').then(({ ConsentPage }) => ConsentPage)),
  '/console/clients': lazy(() => import('./pages/clients/clients.js').then(({ Clients }) => Clients)),
  '/console/clients/rules': lazy(() => import('./pages/clients/client-rules.js').then(({ ClientRulesPage }) => ClientRulesPage)),
  '/console/clients/registrations': lazy(() => import('./pages/clients/registrations.js').then(({ Registrations }) => Registrations)),
  '/console/clients/:clientId': lazy(() => import('./pages/clients/client.js').then(({ ClientPage }) => ClientPage)),
  '/console/members': lazy(() => import('./pages/members/members.js').then(({ Members }) => Members)),
  '/console/members/:memberId': lazy(() => import('./pages/members/member.js').then(({ MemberPage }) => MemberPage)),
  '/console/providers': lazy(() => import('./pages/providers/providers.js').then(({ Providers }) => Providers)),
  '/console/resources': lazy(() => import('./pages/resources/resources.js').then(({ Resources }) => Resources)),
  '/console/resources/:resourceId': lazy(() => import('./pages/resources/resource.js').then(({ ResourcePage }) => ResourcePage)),
  '/console/namespaces': lazy(() => import('./pages/namespaces/namespaces.js').then(({ Namespaces }) => Namespaces)),
  '/console/organisations': lazy(() => import('./pages/organisations/organisations.js').then(({ Organisations }) => Organisations)),
  '/console/organisations/:orgId': lazy(() => import('./pages/organisations/organisation.js').then(({ OrganisationPage }) => OrganisationPage)),
  '/console/signing-keys': lazy(() => import('./pages/signing-keys/signing-keys.js').then(({ SigningKeys }) => SigningKeys)),
  '/console/audit': lazy(() => import('./pages/audit/audit.js').then(({ Audit }) => Audit)),
  '/console/log': lazy(() => import('./pages/log/log.js').then(({ Log }) => Log)),
  '/console/log/:seq': lazy(() => import('./pages/log/entry.js').then(({ LogEntry }) => LogEntry)),
  '/console/limits': lazy(() => import('./pages/limits/limits.js').then(({ Limits }) => Limits)),
}
