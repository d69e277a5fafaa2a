import { refuse } from '../../errors.js'
import type { OAuthForm } from '../../http/form.js'
import { endOfDay } from '../../http/pages/time.js'
import type { Allowed, Asked } from './asked.js'
import { rightsOf } from './decision.js'
import type { Offer } from './offer.js'

export const DECISION_PATH = '/oauth/authorize/decision'
export const DECISION_PURPOSE = 'oauth.authorize'
/** The fields of the form that may be repeated. */
export const BOXES = ['right', 'introduce'] as const

export const DAY_SECONDS = 86_400
const ONCE_SECONDS = 900
export const MAX_DAYS = 366
export const DEFAULT_DAYS = 30

/** The value of the box of a right: the position of the audience, and the scope. */
export const rightValue = (position: number, scope: string): string => `${position} ${scope}`

/** Reads the boxes that a person has ticked. Everything must be among what was requested, and something must be ticked. */
export function allowedIn(form: OAuthForm, { pending: { request }, device, task, now }: Asked, offers: readonly Offer[]): Allowed {
  if (form.get('decision') !== 'allow') refuse('bad_input', 'decision: must be allow or deny')
  const ticked = new Set(form.getAll('right'))
  const offered = offers.flatMap(({ scopes }, position) => scopes.map(({ scope }) => rightValue(position, scope)))
  for (const right of ticked) if (!offered.includes(right)) refuse('bad_input', 'right: the application did not ask for this right')
  const { delegation, ...others } = request
  const kept = offers
    .map((offer, position) => ({ ...offer, scopes: offer.scopes.filter(({ scope }) => ticked.has(rightValue(position, scope))) }))
    .filter(({ scopes }) => scopes.length > 0)
  if (kept.length === 0) refuse('bad_input', 'allow at least one right, or deny the request')
  const introduced = form.getAll('introduce')
  const introduce = kept.filter(({ needsIntroduction }) => needsIntroduction)
  if (!introduce.every(({ audience }) => introduced.includes(audience)))
    refuse(
      'bad_input',
      'introduce: the application can only act there if you also introduce it, or leave the rights of that audience unticked',
    )
  const mayPassOn = form.get('passOn') === 'yes'
  const { until, isOnce } = durationIn(form, task?.dependencies.expiresAt, now)
  return {
    rights: rightsOf(kept, { ...others, ...(mayPassOn && delegation && { delegation }) }),
    until,
    isOffline: request.isOffline && !isOnce,
    introduce,
    ...(device?.agent && { agentName: agentNameIn(form) }),
  }
}

function agentNameIn(form: OAuthForm): string {
  const name = form.get('agentName')?.trim() ?? ''
  return name !== '' && name.length <= 128 ? name : refuse('bad_input', 'agentName: must have 1 to 128 characters')
}

/** The end of the consent. `once` means ONCE_SECONDS after the decision, without refresh tokens. */
function durationIn(form: OAuthForm, deadline: number | undefined, now: number): { readonly until: number; readonly isOnce: boolean } {
  const latest = deadline ?? now + MAX_DAYS * DAY_SECONDS
  switch (form.get('duration')) {
    case 'once':
      return { until: Math.min(latest, now + ONCE_SECONDS), isOnce: true }
    case 'task':
      return deadline === undefined ? refuse('bad_input', 'duration: the application asks for no task') : { until: deadline, isOnce: false }
    case 'until': {
      const until = endOfDay(form.get('until') ?? '')
      if (until === undefined || until <= now || until > latest)
        return refuse('bad_input', `until: must be a day from today on, at most ${MAX_DAYS} days away and not after the end of the task`)
      return { until, isOnce: false }
    }
    default:
      return refuse('bad_input', 'duration: must be once, task or until')
  }
}
