import { refuse } from '../../errors.js'
import type { OAuthForm } from '../../http/form.js'
import { Foreign } from '../../http/pages/foreign.js'
import { Form } from '../../http/pages/form.js'
import { seeOther } from '../../http/pages/html.js'
import { More, pageIn } from '../../http/pages/more.js'
import { page } from '../../http/pages/page.js'
import { dayOf, endOfDay, Time } from '../../http/pages/time.js'
import type { HttpRequest, HttpResponse, Route } from '../../http/route.js'
import { idIn, personForm, personPage } from '../../identity/people/person-routes.js'
import type { PersonCaller } from '../../identity/people/session.js'
import type { SignInDeps } from '../../identity/people/sign-in.js'
import type { AccountSection } from '../../identity/people/you-page.js'
import { ConsentId } from '../../protocol/ids.js'
import type { Bounds } from '../../protocol/rights.js'
import { BOUNDS_FIELDS, BoundsBoxes, BoundsText, narrowingIn } from '../pages/bounds-form.js'
import { type AudienceParty, type ClientParty, describeAudience, describeClient, type PartiesDeps } from '../pages/parties.js'
import { PartyName } from '../pages/party-name.js'
import { narrowConsent } from './narrow.js'
import { getConsent, listConsents } from './read.js'
import { revokeConsent } from './revoke.js'
import type { ConsentView } from './view.js'

type ConsentPagesDeps = Parameters<typeof listConsents>[0] & PartiesDeps

const CONSENTS = '/you/consents'
/** How many consents the page /you shows. */
const MAX_SHOWN = 5

interface Described {
  readonly view: ConsentView
  readonly client: ClientParty
  readonly audience: AudienceParty
}

async function described(deps: ConsentPagesDeps, view: ConsentView): Promise<Described> {
  const [client, audience] = await Promise.all([describeClient(deps, view.client), describeAudience(deps, view.audience)])
  return { view, client, audience }
}

/** The newest consents of a person. */
export const consentsSection =
  (deps: ConsentPagesDeps): AccountSection =>
  async (person) => {
    const { items, cursor } = await listConsents(deps, person, { limit: MAX_SHOWN })
    return (
      <section aria-labelledby="consents">
        <h2 id="consents">What applications may do for you</h2>
        {items.length === 0 && <p>No application may act for you.</p>}
        <Consents items={await Promise.all(items.map((view) => described(deps, view)))} />
        {cursor !== undefined && (
          <p>
            <a href={CONSENTS}>All consents</a>
          </p>
        )}
      </section>
    )
  }

function Consents({ items }: { readonly items: readonly Described[] }) {
  return (
    <ul class="items">
      {items.map(({ view, client, audience }) => (
        <li key={view.consentId}>
          <Foreign text={client.name} /> at <Foreign text={audience.name} /> <span>{view.state}</span>
          <p class="hint">
            {view.rights.map(({ scope }) => (
              <span key={scope}>
                <Foreign text={scope} />{' '}
              </span>
            ))}
            until <Time at={view.until} />, <LastUse at={view.lastUsedAt} />
          </p>
          {view.state === 'valid' && (
            <a href={`${CONSENTS}/${view.consentId}`} aria-label={`Show or change the consent ${view.consentId}`}>
              Show or change
            </a>
          )}
        </li>
      ))}
    </ul>
  )
}

function LastUse({ at }: { readonly at: number | undefined }) {
  return at === undefined ? (
    <>never used</>
  ) : (
    <>
      last used <Time at={at} />
    </>
  )
}

/** The pages of consents, and their forms. */
export const consentPages = (deps: SignInDeps & ConsentPagesDeps): Route[] => [
  personPage(deps, CONSENTS, async (person, request) => {
    const { items, cursor } = await listConsents(deps, person, pageIn(request))
    return page(
      { title: 'What applications may do for you', viewer: person },
      <>
        {items.length === 0 && <p>There are no consents on this page.</p>}
        <Consents items={await Promise.all(items.map((view) => described(deps, view)))} />
        <More path={CONSENTS} cursor={cursor}>
          Older consents
        </More>
      </>,
    )
  }),
  personPage(deps, `${CONSENTS}/:consentId`, (person, request) => consentPage(deps, person, request)),
  personPage(deps, `${CONSENTS}/:consentId/revoke`, (person, request) => revokePage(deps, person, request)),
  personForm(
    deps,
    `${CONSENTS}/:consentId/narrow`,
    { purpose: 'consents.narrow', subjectOf, repeatable: BOUNDS_FIELDS },
    async (person, form, request) => {
      await narrow(deps, person, form, consentIdIn(request))
      return seeOther(`${CONSENTS}/${consentIdIn(request)}`)
    },
  ),
  personForm(deps, `${CONSENTS}/:consentId/revoke`, { purpose: 'consents.revoke', subjectOf }, async (person, _, request) => {
    await revokeConsent(deps, person, consentIdIn(request), { reason: 'user_request' })
    return seeOther(CONSENTS)
  }),
]

const consentIdIn = ({ params }: HttpRequest): ConsentId => idIn(ConsentId, params.consentId)
const subjectOf = ({ params }: HttpRequest): string => params.consentId ?? ''

const boundsOf = ({ rights, tools, resources, delegation }: ConsentView): Bounds => ({
  scopes: rights.map(({ scope }) => scope),
  ...(tools && { tools }),
  ...(resources && { resources }),
  ...(delegation && { delegation }),
})

/** Only the person may change a consent, so administrators of the client do not see this page. */
async function requireOwn(deps: ConsentPagesDeps, person: PersonCaller, id: ConsentId): Promise<Described> {
  const view = await getConsent(deps, person, id)
  return view.memberId === person.id ? described(deps, view) : refuse('not_found', 'no such consent')
}

async function consentPage(deps: ConsentPagesDeps, person: PersonCaller, request: HttpRequest): Promise<HttpResponse> {
  const shown = await requireOwn(deps, person, consentIdIn(request))
  const { view, audience } = shown
  const subject = view.consentId
  return page(
    { title: 'An application that acts for you', viewer: person },
    <>
      <Facts {...shown} />
      {view.state === 'valid' ? (
        <>
          <h2>Allow less</h2>
          <Form action={`${CONSENTS}/${subject}/narrow`} formKey={person.formKey} purpose="consents.narrow" subject={subject}>
            <BoundsBoxes bounds={boundsOf(view)} wordsOf={audience.wordsOf} />
            <label for="until">Last day</label>
            <input id="until" type="date" name="until" min={dayOf(person.barrier.now)} max={dayOf(view.until)} value={dayOf(view.until)} />
            <p class="hint">The current tokens of the application are revoked. It can get new ones for the rights that stay ticked.</p>
            <button type="submit">Keep only what is ticked</button>
          </Form>
          <h2>Allow nothing</h2>
          <p>
            <a class="button" href={`${CONSENTS}/${subject}/revoke`}>
              Revoke
            </a>
          </p>
        </>
      ) : (
        <BoundsText bounds={boundsOf(view)} wordsOf={audience.wordsOf} />
      )}
    </>,
  )
}

function Facts({ view, client, audience }: Described) {
  return (
    <dl>
      <dt>Application</dt>
      <dd>
        <PartyName {...client} />
      </dd>
      <dt>May act at</dt>
      <dd>
        <PartyName {...audience} /> <code>{view.audience}</code>
      </dd>
      {view.taskId && (
        <>
          <dt>For one task</dt>
          <dd>
            <code>{view.taskId}</code>
          </dd>
        </>
      )}
      <dt>State</dt>
      <dd>
        {view.state}, since <Time at={view.grantedAt} />, until <Time at={view.until} />
      </dd>
      <dt>Use</dt>
      <dd>
        <LastUse at={view.lastUsedAt} />
      </dd>
    </dl>
  )
}

async function narrow(deps: ConsentPagesDeps, person: PersonCaller, form: OAuthForm, id: ConsentId): Promise<void> {
  const { view } = await requireOwn(deps, person, id)
  const day = form.get('until')
  const last = day === undefined ? undefined : (endOfDay(day) ?? refuse('bad_input', 'until: must be a date such as 2026-12-31'))
  const until = last !== undefined && last < view.until ? last : undefined
  const narrowing = { ...narrowingIn(form, boundsOf(view)), ...(until !== undefined && { until }) }
  if (Object.keys(narrowing).length === 0) refuse('bad_input', 'nothing was changed: untick what the application may no longer do')
  await narrowConsent(deps, person, id, narrowing)
}

/** The page that confirms a revocation. It lists the rights that end. */
async function revokePage(deps: ConsentPagesDeps, person: PersonCaller, request: HttpRequest): Promise<HttpResponse> {
  const shown = await requireOwn(deps, person, consentIdIn(request))
  const { view, audience } = shown
  const { consentId } = view
  if (view.state !== 'valid') refuse('already_revoked', 'the consent was revoked, or has expired')
  return page(
    { title: 'Revoke a consent', viewer: person },
    <>
      <Facts {...shown} />
      <p>The application loses these rights immediately and permanently:</p>
      <BoundsText bounds={boundsOf(view)} wordsOf={audience.wordsOf} />
      <p>
        Its access tokens with these rights are revoked, delegated ones included, and its refresh tokens give no new ones. To act for you
        there again, it must ask you again.
      </p>
      <Form action={`${CONSENTS}/${consentId}/revoke`} formKey={person.formKey} purpose="consents.revoke" subject={consentId}>
        <button class="danger" type="submit">
          Revoke
        </button>
      </Form>
      <p>
        <a href={`${CONSENTS}/${consentId}`}>Go back</a>
      </p>
    </>,
  )
}
