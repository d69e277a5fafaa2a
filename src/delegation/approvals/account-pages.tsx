import { refuse } from '../../errors.js'
import { ACTING_ROLES } from '../../http/caller.js'
import type { OAuthForm } from '../../http/form.js'
import { Foreign } from '../../http/pages/foreign.js'
import { Form } from '../../http/pages/form.js'
import { seeOther } from '../../http/pages/html.js'
import { More, pageIn } from '../../http/pages/more.js'
import { page } from '../../http/pages/page.js'
import { Time } from '../../http/pages/time.js'
import type { HttpRequest, HttpResponse, Route } from '../../http/route.js'
import { idIn, personForm, personPage } from '../../identity/people/person-routes.js'
import type { PersonCaller } from '../../identity/people/session.js'
import type { SignInDeps } from '../../identity/people/sign-in.js'
import type { AccountSection } from '../../identity/people/you-page.js'
import { AgentId, ApprovalId, IntroductionId } from '../../protocol/ids.js'
import { BOUNDS_FIELDS, BoundsBoxes, BoundsText, narrowingIn } from '../pages/bounds-form.js'
import { type AudienceParty, describeAudience, describeClient, describeTarget, type PartiesDeps } from '../pages/parties.js'
import { approve, deny } from './decide.js'
import { ClientName, type DescribedApproval, Facts } from './facts.js'
import { getApproval } from './get.js'
import { listApprovals } from './list.js'
import type { ApprovalDeps } from './request.js'
import { Note } from './store.js'
import type { ApprovalView } from './view.js'

type ApprovalPagesDeps = ApprovalDeps & PartiesDeps

const APPROVALS = '/you/approvals'
const ASKED = { role: 'to', state: 'pending' } as const
/** How many approvals the page /you shows. */
const MAX_SHOWN = 5

async function described(deps: ApprovalPagesDeps, view: ApprovalView): Promise<DescribedApproval> {
  if (view.kind === 'consent') return { view, requester: await describeAsking(deps, view), target: undefined }
  const audience = 'audience' in view ? describeAudience(deps, view.audience) : view.to && describeTarget(deps, view.to)
  const [requester, target] = await Promise.all([describeClient(deps, AgentId.parse(view.from)), audience])
  return { view, requester, target }
}

/** The client of a consent. One that is not known any more has the name under which it asked. */
async function describeAsking(deps: ApprovalPagesDeps, { client, clientName }: Extract<ApprovalView, { kind: 'consent' }>) {
  const party = await describeClient(deps, client)
  return party.name === client ? { ...party, name: clientName } : party
}

const describedAll = (deps: ApprovalPagesDeps, views: readonly ApprovalView[]): Promise<readonly DescribedApproval[]> =>
  Promise.all(views.map((view) => described(deps, view)))

/** The pending requests that the person's organisation decides. Nothing for the role `person`, which does not act for the organisation. */
export const approvalsSection =
  (deps: ApprovalPagesDeps): AccountSection =>
  async (person) => {
    if (!ACTING_ROLES.includes(person.role)) return null
    const { items, cursor } = await listApprovals(deps, person, { ...ASKED, limit: MAX_SHOWN })
    return (
      <section aria-labelledby="approvals">
        <h2 id="approvals">Pending requests</h2>
        <Approvals items={await describedAll(deps, items)} hasMore={cursor !== undefined} />
        {cursor !== undefined && (
          <p>
            <a href={APPROVALS}>All pending requests</a>
          </p>
        )}
      </section>
    )
  }

function Approvals({ items, hasMore }: { readonly items: readonly DescribedApproval[]; readonly hasMore: boolean }) {
  if (items.length === 0)
    return <p>{hasMore ? 'The newest requests are all decided or ended. Older ones may be pending.' : 'There are no pending requests.'}</p>
  return (
    <ul class="items">
      {items.map(({ view, requester, target }) => (
        <li key={view.approvalId}>
          <ClientName {...requester} />{' '}
          {target && (
            <>
              to <Foreign text={target.name} />
            </>
          )}
          <p class="hint">
            Requested <Time at={view.requestedAt} />, {'risk' in view && `risk ${view.risk.level}`}
          </p>
          <a href={`${APPROVALS}/${view.approvalId}`} aria-label={`Decide about the request ${view.approvalId}`}>
            Decide
          </a>
        </li>
      ))}
    </ul>
  )
}

/** The pages of pending requests, and their forms. */
export const approvalPages = (deps: SignInDeps & ApprovalPagesDeps): Route[] => [
  personPage(deps, APPROVALS, async (person, request) => {
    const isActing = ACTING_ROLES.includes(person.role)
    const { items, cursor } = isActing ? await listApprovals(deps, person, { ...ASKED, ...pageIn(request) }) : { items: [] }
    return page(
      { title: 'Pending requests', viewer: person },
      <>
        <Approvals items={await describedAll(deps, items)} hasMore={cursor !== undefined} />
        <More path={APPROVALS} cursor={cursor}>
          Older requests
        </More>
      </>,
    )
  }),
  personPage(deps, `${APPROVALS}/:approvalId`, (person, request) => approvalPage(deps, person, request)),
  personForm(
    deps,
    `${APPROVALS}/:approvalId/approve`,
    { purpose: 'approvals.approve', subjectOf, repeatable: BOUNDS_FIELDS },
    async (person, form, request) => {
      const { kind, requested } = await getApproval(deps, person, approvalIdIn(request))
      await approve(deps, person, approvalIdIn(request), kind === 'consent' ? {} : narrowingIn(form, requested))
      return seeOther(APPROVALS)
    },
  ),
  personForm(deps, `${APPROVALS}/:approvalId/deny`, { purpose: 'approvals.deny', subjectOf }, async (person, form, request) => {
    await deny(deps, person, approvalIdIn(request), noteIn(form))
    return seeOther(APPROVALS)
  }),
]

function noteIn(form: OAuthForm): string | undefined {
  const { data, error } = Note.safeParse(form.get('note') ?? '')
  return error ? refuse('bad_input', `note: ${error.issues[0]?.message}`) : data || undefined
}

const approvalIdIn = ({ params }: HttpRequest) => idIn(ApprovalId.or(IntroductionId), params.approvalId)
const subjectOf = ({ params }: HttpRequest): string => params.approvalId ?? ''

async function approvalPage(deps: ApprovalPagesDeps, person: PersonCaller, request: HttpRequest): Promise<HttpResponse> {
  const shown = await described(deps, await getApproval(deps, person, approvalIdIn(request)))
  const { view } = shown
  const { approvalId: subject, requested } = view
  const wordsOf: AudienceParty['wordsOf'] = (scope) =>
    (view.kind === 'token' ? view.words.find((one) => one.scope === scope)?.words : undefined) ?? shown.target?.wordsOf(scope)
  return page(
    { title: 'Pending request', viewer: person },
    <>
      <Facts {...shown} />
      {view.state === 'pending' ? (
        <>
          <Form action={`${APPROVALS}/${subject}/approve`} formKey={person.formKey} purpose="approvals.approve" subject={subject}>
            {/* The person chooses again, at most what was approved */}
            {view.kind !== 'consent' && <BoundsBoxes bounds={requested} wordsOf={wordsOf} />}
            {view.kind === 'token' && <p class="hint">The approval allows one token, and expires after an hour.</p>}
            <button type="submit">{view.kind === 'consent' ? 'Approve' : 'Approve what is ticked'}</button>
          </Form>
          <Form action={`${APPROVALS}/${subject}/deny`} formKey={person.formKey} purpose="approvals.deny" subject={subject}>
            <label for="note">Reason for a denial (optional; the requester reads it)</label>
            <input id="note" name="note" maxLength={512} autoComplete="off" />
            <button class="danger" type="submit">
              Deny
            </button>
          </Form>
        </>
      ) : (
        view.kind !== 'consent' && <BoundsText bounds={view.approved ?? requested} wordsOf={wordsOf} />
      )}
    </>,
  )
}
