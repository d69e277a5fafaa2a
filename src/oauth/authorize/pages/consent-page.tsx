import { Foreign } from '../../../http/pages/foreign.js'
import { Form } from '../../../http/pages/form.js'
import { dayOf, Time } from '../../../http/pages/time.js'
import { isLoopback } from '../../../lib/hosts/loopback.js'
import { formatScope, type Scope } from '../../../protocol/rights.js'
import { type AdminApproval, AdminApprovalNote } from '../admin-approval.js'
import type { Asked } from '../asked.js'
import { DAY_SECONDS, DECISION_PATH, DECISION_PURPOSE, DEFAULT_DAYS, MAX_DAYS, rightValue } from '../decision-form.js'
import type { Offer, OfferedScope } from '../offer.js'
import { hostOf } from '../redirect.js'
import type { ClientDescription } from './describe-client.js'

interface ConsentPage {
  readonly asked: Asked
  readonly offers: readonly Offer[]
  readonly requestUri: string
  readonly description: ClientDescription
  readonly approval: AdminApproval | undefined
  readonly earlier: readonly EarlierConsent[]
  /** Names of the audiences to which the client may delegate. */
  readonly names: ReadonlyMap<string, string>
}

/** A consent of the person to the client that a decision may replace. */
export interface EarlierConsent {
  /** The name of the audience. */
  readonly name: string
  readonly scopes: readonly Scope[]
  /** Epoch seconds. */
  readonly until: number
}

/** Shows who asks, for what, at whom and for how long. The person ticks what the application may do. */
export function ConsentForm({ asked, offers, requestUri, description, approval, names, earlier }: ConsentPage) {
  const { client, person, pending, device, task, now } = asked
  const { request } = pending
  const { redirectUri } = request
  const deadline = task?.dependencies.expiresAt
  return (
    <>
      <p>
        <Foreign text={description.name} />{' '}
        {device?.agent ? (
          '(a new agent on your device)'
        ) : description.organisation === undefined ? (
          '(not registered by an organisation here)'
        ) : (
          <>
            of <Foreign text={description.organisation} />
          </>
        )}{' '}
        asks to act for you, <Foreign text={person.name} /> of <Foreign text={description.ownOrganisation} />.
      </p>
      <dl>
        {client.clientUri && (
          <>
            <dt>Application</dt>
            <dd>
              <code>{new URL(client.clientUri).host}</code> (<Foreign text={client.clientUri} />)
            </dd>
          </>
        )}
        {redirectUri !== undefined && (
          <>
            <dt>Returns to</dt>
            <dd>
              <code>{hostOf(redirectUri)}</code>
            </dd>
          </>
        )}
        {device && (
          <>
            <dt>Requested from the address</dt>
            <dd>
              <code>{device.address}</code>
            </dd>
            <dt>Requested at</dt>
            <dd>
              <Time at={device.createdAt} />
            </dd>
          </>
        )}
        <dt>Known since</dt>
        <dd>{description.knownSince === undefined ? 'not known here' : dayOf(description.knownSince)}</dd>
        <dt>Verdict</dt>
        <dd>{description.verdict}</dd>
        {description.recentChanges.length > 0 && (
          <>
            <dt>New in the last 30 days</dt>
            <dd>{description.recentChanges.join(', ')}</dd>
          </>
        )}
      </dl>
      {device && (
        <p class="note">
          The application runs on the device whose code you entered. Continue only if this is your own device: the application will act for
          you.
        </p>
      )}
      {redirectUri !== undefined && isLoopback(new URL(redirectUri).hostname) && (
        <p class="note">The application runs on your device. Continue only if you have just started it there yourself.</p>
      )}
      {client.orgId !== undefined && client.orgId !== person.orgId && (
        <p class="note">The application belongs to another organisation, not yours.</p>
      )}
      <EarlierConsents earlier={earlier} />
      <AdminApprovalNote approval={approval} />
      <Form action={DECISION_PATH} formKey={person.formKey} purpose={DECISION_PURPOSE} subject={requestUri}>
        <input type="hidden" name="client_id" value={client.clientUri ?? client.id} />
        <input type="hidden" name="request" value={requestUri} />
        {device?.agent && (
          <>
            <label for="agentName">Name of the new agent</label>
            <input id="agentName" name="agentName" value={device.agent.name} required maxLength={128} autoComplete="off" />
          </>
        )}
        {offers.map((offer, position) => (
          <Rights key={offer.audience} offer={offer} position={position} />
        ))}
        <Names title="Only with these tools" names={request.tools} />
        <Names title="Only on these resources" names={request.resources} />
        {request.delegation && (
          <fieldset>
            <legend>Delegation</legend>
            <label class="choice">
              <input type="checkbox" name="passOn" value="yes" />
              <span>
                The application may delegate these rights to other agents and services, which may delegate them further, up to{' '}
                {request.delegation.depth} {request.delegation.depth === 1 ? 'level' : 'levels'}:{' '}
                <span>
                  {request.delegation.rights.map(({ audience, scope }) => (
                    <span key={`${audience} ${scope}`} class="item">
                      <Foreign text={scope} /> at <Foreign text={names.get(audience) ?? audience} />{' '}
                    </span>
                  ))}
                </span>
              </span>
            </label>
          </fieldset>
        )}
        <fieldset>
          <legend>For how long</legend>
          <label class="choice">
            <input type="radio" name="duration" value="once" /> <span>Once: for the next 15 minutes</span>
          </label>
          {deadline === undefined ? (
            <label class="choice">
              <input type="radio" name="duration" value="until" checked /> <span>Until the end of the day below, or until I revoke it</span>
            </label>
          ) : (
            <label class="choice">
              <input type="radio" name="duration" value="task" checked /> <span>For one task, which ends by {dayOf(deadline)}</span>
            </label>
          )}
        </fieldset>
        {deadline === undefined && (
          <>
            <label for="until">Last day</label>
            <input
              id="until"
              type="date"
              name="until"
              min={dayOf(now)}
              max={dayOf(now + (MAX_DAYS - 1) * DAY_SECONDS)}
              value={dayOf(now + DEFAULT_DAYS * DAY_SECONDS)}
            />
          </>
        )}
        <button type="submit" name="decision" value="allow">
          Allow what is ticked
        </button>
        <button type="submit" name="decision" value="deny" class="quiet">
          Deny
        </button>
      </Form>
      <p class="hint">You can narrow or revoke this at any time.</p>
    </>
  )
}

function Rights({ offer, position }: { readonly offer: Offer; readonly position: number }) {
  return (
    <fieldset>
      <legend>
        At <Foreign text={offer.name} /> of <Foreign text={offer.organisation} />
      </legend>
      {offer.target && (
        <p class="hint">
          <code>
            <Foreign text={offer.audience} />
          </code>
        </p>
      )}
      {offer.scopes.map((offered) => (
        <label key={offered.scope} class="choice">
          <input type="checkbox" name="right" value={rightValue(position, offered.scope)} checked />
          <ScopeText offered={offered} />
        </label>
      ))}
      {offer.needsIntroduction && (
        <label class="choice">
          <input type="checkbox" name="introduce" value={offer.audience} />
          <span>
            On behalf of your organisation, introduce the application to <Foreign text={offer.name} />. It cannot act there without this.
          </span>
        </label>
      )}
    </fieldset>
  )
}

/** A scope in the words of its resource, with those of the narrower scopes that it includes. */
function ScopeText({ offered: { scope, words, cost, includes } }: { readonly offered: OfferedScope }) {
  return (
    <span>
      <code>
        <Foreign text={scope} />
      </code>{' '}
      {words && <Foreign text={words} />}
      {cost > 0 && ` (each call uses ${cost} budget ${cost === 1 ? 'unit' : 'units'})`}
      {includes.map((narrower) => (
        <span key={narrower.scope} class="item">
          {' '}
          includes{' '}
          <code>
            <Foreign text={narrower.scope} />
          </code>{' '}
          <Foreign text={narrower.words} />
        </span>
      ))}
    </span>
  )
}

function Names({ title, names }: { readonly title: string; readonly names: readonly string[] | undefined }) {
  if (!names) return null
  return (
    <p>
      {title}:{' '}
      {names.map((name) => (
        <span key={name}>
          <Foreign text={name} />{' '}
        </span>
      ))}
    </p>
  )
}

function EarlierConsents({ earlier }: Pick<ConsentPage, 'earlier'>) {
  if (earlier.length === 0) return null
  return (
    <div class="note">
      <p>You have allowed this application before:</p>
      <ul>
        {earlier.map(({ name, scopes, until }) => (
          <li key={name}>
            <Foreign text={formatScope(scopes)} /> at <Foreign text={name} />, until <Time at={until} />
          </li>
        ))}
      </ul>
      <p>
        If you allow more at an audience now, or for longer, the new consent replaces the earlier one, and the tokens that the application
        got by it end.
      </p>
    </div>
  )
}
