import { mayOversee } from '../../http/caller.js'
import { Foreign } from '../../http/pages/foreign.js'
import { Form } from '../../http/pages/form.js'
import { seeOther } from '../../http/pages/html.js'
import { Time } from '../../http/pages/time.js'
import type { Route } from '../../http/route.js'
import { AgentId, SessionId } from '../../protocol/ids.js'
import type { AgentsDeps } from '../agents/authority.js'
import { viewOf as agentViewOf } from '../agents/get.js'
import { findRegistered } from '../agents/list.js'
import { revokeAgent } from '../agents/revoke.js'
import { idIn, personForm } from './person-routes.js'
import { endAllSessions, endSession, listSessions, type SessionsDeps } from './sessions.js'
import { HOME, type SignInDeps } from './sign-in.js'
import type { AccountSection } from './you-page.js'

const MAX_SHOWN = 50

/** The sessions of a person. */
export const sessionsSection =
  (deps: SessionsDeps): AccountSection =>
  async (person) => {
    const { items } = await listSessions(deps, person)
    return (
      <section aria-labelledby="sessions">
        <h2 id="sessions">Your sessions</h2>
        <ul class="items">
          {items.map(({ sessionId, signedInAt, lastUsedAt, expiresAt, browser }) => (
            <li key={sessionId}>
              <Foreign text={browser || 'unknown browser'} />
              {sessionId === person.sessionId && <strong> (this session)</strong>}
              <p class="hint">
                Signed in <Time at={signedInAt} />, last used <Time at={lastUsedAt} />, ends <Time at={expiresAt} /> at the latest if
                unused.
              </p>
              <Form action={`/you/sessions/${sessionId}/end`} formKey={person.formKey} purpose="sessions.end" subject={sessionId}>
                <button class="quiet small" type="submit" aria-label={`Sign out the session of ${timeText(signedInAt)}`}>
                  Sign out
                </button>
              </Form>
            </li>
          ))}
        </ul>
        <Form action="/you/sessions/end-all" formKey={person.formKey} purpose="sessions.endAll">
          <button class="danger" type="submit">
            Sign out everywhere
          </button>
        </Form>
      </section>
    )
  }

const timeText = (at: number): string => new Date(at * 1000).toISOString().slice(0, 16).replace('T', ' ')

/** The agents that a person has registered. */
export const agentsSection =
  (deps: AgentsDeps): AccountSection =>
  async (person) => {
    const page = await findRegistered(deps, person, { order: 'down', limit: MAX_SHOWN })
    const views = await Promise.all(page.items.map((agent) => agentViewOf(deps, agent, deps.audit.history(person))))
    const mayRevoke = person.role === 'person' || mayOversee(person, person.orgId)
    return (
      <section aria-labelledby="agents">
        <h2 id="agents">Your agents</h2>
        {views.length === 0 && <p>You have registered no agents.</p>}
        <ul class="items">
          {views.map(({ agentId, name, state, registeredAt }) => (
            <li key={agentId}>
              <Foreign text={name} /> <span>{state}</span>
              <p class="hint">
                <code>{agentId}</code>, registered <Time at={registeredAt} />
              </p>
              {mayRevoke && state !== 'revoked' && (
                <Form action={`/you/agents/${agentId}/revoke`} formKey={person.formKey} purpose="agents.revoke" subject={agentId}>
                  <button class="danger small" type="submit" aria-label={`Revoke the agent ${agentId}`}>
                    Revoke
                  </button>
                </Form>
              )}
            </li>
          ))}
        </ul>
      </section>
    )
  }

/** The forms of these sections. */
export const accountForms = (deps: SignInDeps & SessionsDeps & AgentsDeps): Route[] => [
  personForm(deps, '/you/sessions/end-all', { purpose: 'sessions.endAll' }, async (person) => {
    await endAllSessions(deps, person)
    return seeOther('/sign-in')
  }),
  personForm(
    deps,
    '/you/sessions/:sessionId/end',
    { purpose: 'sessions.end', subjectOf: ({ params }) => params.sessionId ?? '' },
    async (person, _, { params }) => {
      await endSession(deps, person, idIn(SessionId, params.sessionId))
      return seeOther(HOME)
    },
  ),
  personForm(
    deps,
    '/you/agents/:agentId/revoke',
    { purpose: 'agents.revoke', subjectOf: ({ params }) => params.agentId ?? '' },
    async (person, _, { params }) => {
      await revokeAgent(deps, person, idIn(AgentId, params.agentId), { reason: 'user_request' })
      return seeOther(HOME)
    },
  ),
]
