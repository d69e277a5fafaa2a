import { digestOfText } from '../../credentials/jose/digest.js'
import { refuse } from '../../errors.js'
import type { Random } from '../../lib/random.js'
import { AgentId } from '../../protocol/ids.js'
import { stands } from '../../protocol/standing.js'
import type { TrustLog } from '../../trust-log/trust-log.js'
import { type AuthorizationClient, requesterOf } from './client.js'
import type { AuthorizationsStore, PendingAuthorization } from './store.js'

export interface PendingDeps {
  readonly authorizations: AuthorizationsStore
  readonly trustLog: TrustLog
  readonly random: Random
}

const PREFIX = 'urn:ietf:params:oauth:request_uri:'
const REFERENCE_BYTES = 32
/** Lifetime of a pushed request, and of one that a browser has come with. */
export const PUSHED_SECONDS = 90
const SHOWN_SECONDS = 600

/** The client of a request, and what the request depends on. */
export type Asking = Pick<PendingAuthorization, 'clientId' | 'orgId' | 'dependsOn'>

export const askingOf = (client: AuthorizationClient): Asking => ({
  clientId: requesterOf(client),
  ...(client.orgId && { orgId: client.orgId }),
  dependsOn: [...client.dependencies.handles],
})

/** Stores a request. Returns its `request_uri`, which only the client and the browser of the person have. */
export async function savePending(
  { authorizations, random }: PendingDeps,
  asked: Asking & Pick<PendingAuthorization, 'request' | 'deviceId' | 'memberId'>,
  { isPushed, now }: { readonly isPushed: boolean; readonly now: number },
): Promise<{ readonly requestUri: string; readonly pending: PendingAuthorization }> {
  const requestUri = `${PREFIX}${random.token(REFERENCE_BYTES)}`
  const pending: PendingAuthorization = {
    ...asked,
    id: digestOfText(requestUri),
    isPushed,
    ...(!isPushed && { shownAt: now }),
    expiresAt: now + (isPushed ? PUSHED_SECONDS : SHOWN_SECONDS),
  }
  await authorizations.insert(pending)
  return { requestUri, pending }
}

/** Finds the request that a `request_uri` names: one that `isOf` accepts, fresh and not answered. One refusal for all others. */
export async function requirePending(
  { authorizations, trustLog }: PendingDeps,
  isOf: (pending: PendingAuthorization) => boolean,
  requestUri: string,
  now: number,
): Promise<PendingAuthorization> {
  const pending = await authorizations.get(digestOfText(requestUri))
  const isGood =
    pending !== undefined &&
    isOf(pending) &&
    pending.expiresAt > now &&
    pending.decidedAt === undefined &&
    stands(trustLog.ended, pending.dependsOn)
  return pending && isGood
    ? pending
    : refuse(
        'invalid_request_uri',
        'the request is unknown, expired, already decided, or from another client; go back to the application and start again',
      )
}

/** The audience and the agent of a request, before its client is known: they decide as which of its agents a client with a metadata document acts. */
export async function seenIn(
  { authorizations }: PendingDeps,
  requestUri: string,
): Promise<{ readonly audience?: string | undefined; readonly agentId?: string | undefined; readonly isOfDevice?: boolean }> {
  const pending = await authorizations.get(digestOfText(requestUri))
  const agentId = AgentId.safeParse(pending?.clientId)
  const isOfDevice = pending?.deviceId !== undefined
  return { audience: pending?.request.audiences[0], isOfDevice, ...(agentId.success && { agentId: agentId.data }) }
}

/** Extends a request to SHOWN_SECONDS when a browser first comes with it, so that the person has time to sign in and to decide. */
export async function showPending(
  { authorizations }: PendingDeps,
  pending: PendingAuthorization,
  now: number,
): Promise<PendingAuthorization> {
  if (pending.shownAt !== undefined) return pending
  const fields = { shownAt: now, expiresAt: now + SHOWN_SECONDS }
  return (await authorizations.change(pending.id, { shownAt: null, decidedAt: null }, fields)) ?? { ...pending, ...fields }
}

/** The page of a request, without its parameters. */
export const pathOf = (clientId: string, requestUri: string): string =>
  `/oauth/authorize?${new URLSearchParams({ client_id: clientId, request_uri: requestUri })}`
