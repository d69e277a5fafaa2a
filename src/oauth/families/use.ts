// Uses of the secrets of a family. At any time one secret is good: the code, and once it was redeemed the newest refresh token.
//
// A second use of a secret means that it was stolen, so the family ends, whatever key comes with it (RFC 9700 §4.14.2). There are two exceptions.
// A client that lost the response may repeat a refresh with the same `Idempotency-Key` for RETRY_SECONDS and gets the same refresh token. A code
// that is sent again within REPEATED_CODE_SECONDS is refused, but the family stands. The next secret is stored encrypted under the used one, so
// only the client that holds the used one can get it again.
import type { Audit } from '../../audit/audit.js'
import { digestOfText } from '../../credentials/jose/digest.js'
import { otherSide } from '../../delegation/consents/revoke.js'
import { refuse } from '../../errors.js'
import type { Client, ExternalClient } from '../../identity/clients/client.js'
import { isRegisteredRedirectUri } from '../../identity/clients/metadata/redirect-uris.js'
import { equalTexts } from '../../lib/bytes.js'
import type { Random } from '../../lib/random.js'
import type { RevocationReason } from '../../protocol/end-reason.js'
import { ActorId } from '../../protocol/ids.js'
import { stands } from '../../protocol/standing.js'
import type { Operation } from '../../storage/storage.js'
import { endingOfExpiring } from '../../trust-log/standing-endings.js'
import type { TrustLog } from '../../trust-log/trust-log.js'
import type { AuthenticatedClient, AuthenticatedExternal } from '../client-auth/client-auth.js'
import type { GrantRequest } from '../issue.js'
import { newSecret, parseSecret, type Secret, seal, unseal } from './secret.js'
import type { FamiliesStore, Family } from './store.js'

export interface FamilyDeps {
  readonly families: FamiliesStore
  readonly trustLog: TrustLog
  readonly random: Random
  readonly audit: Audit
}

/** A token request by an agent, or by a client that is none. */
export type FamilyRequest = Omit<GrantRequest, 'authenticated'> & { readonly authenticated: AuthenticatedClient | AuthenticatedExternal }

/** A use of a secret that the commit of the token must contain. */
export interface FamilyUse {
  readonly family: Family
  readonly operations: readonly Operation[]
  readonly refreshToken: string | undefined
}

/** Time in which a refresh may be repeated, and in which a repeated code does not end the family. */
const RETRY_SECONDS = 60
const REPEATED_CODE_SECONDS = 5

/** One refusal for everything that is wrong with a code or refresh token. */
export const refuseSecret = (): never =>
  refuse(
    'invalid_grant',
    'the code or refresh token is wrong, used or expired; or it belongs to another client, key, redirect_uri or code_verifier; or the person, the consent or the task has ended: ask for authorization again',
  )

export async function useCode(deps: FamilyDeps, request: FamilyRequest): Promise<FamilyUse> {
  const { form } = request
  const secret = parseSecret(form.get('code') ?? refuse('invalid_request', 'code is missing')) ?? refuseSecret()
  const verifier = form.get('code_verifier') ?? refuse('invalid_grant', 'code_verifier is missing')
  return useFirst(deps, request, secret, (family) => isFor(family, verifier, request))
}

/** Uses the device code of an approved request (oauth/device). Only the device received it, so it needs no verifier. */
export const useDeviceCode = (deps: FamilyDeps, request: FamilyRequest, code: Secret): Promise<FamilyUse> =>
  useFirst(deps, request, code, (family) => family.redirectUri === undefined && isOfKey(family, request))

/** Uses the first secret of a family: an authorization code or a device code. */
async function useFirst(deps: FamilyDeps, request: FamilyRequest, secret: Secret, isFor: (family: Family) => boolean): Promise<FamilyUse> {
  const { authenticated, jkt, attempt, barrier } = request
  const family = await requireFamily(deps, secret, barrier.now)
  if (!equalTexts(secret.digest, family.code)) return refuseSecret()
  const isOfRequest = isOfClient(family, authenticated.client) && isFor(family)
  if (family.uses === 0) {
    const isGood = isOfRequest && family.codeExpiresAt > barrier.now && stands(deps.trustLog.ended, family.clientVersions)
    return isGood ? next(deps, request, family, secret) : refuseSecret()
  }
  const { lastUse } = family
  if (lastUse?.attempt === attempt) return again(family, secret)
  const isRepeated =
    family.uses === 1 && isOfRequest && lastUse?.jkt === jkt && barrier.now <= (lastUse?.usedAt ?? 0) + REPEATED_CODE_SECONDS
  if (!isRepeated) await endFamily(deps, authenticated.client, family)
  return refuseSecret()
}

/** The code is only good with the verifier, redirect URI and key of its request (RFC 7636 §4.6, RFC 6749 §4.1.3). */
const isFor = (family: Family, verifier: string, request: FamilyRequest): boolean =>
  /^[A-Za-z0-9._~-]{43,128}$/.test(verifier) &&
  family.challenge !== undefined &&
  equalTexts(digestOfText(verifier), family.challenge) &&
  family.redirectUri !== undefined &&
  request.form.get('redirect_uri') === family.redirectUri &&
  isRegisteredRedirectUri(request.authenticated.client.redirectUris ?? [], family.redirectUri) &&
  isOfKey(family, request)

/** A secret that is bound to a key is used with it. */
const isOfKey = (family: Family, { jkt }: FamilyRequest): boolean => family.jkt === undefined || family.jkt === jkt

export async function useRefreshToken(deps: FamilyDeps, request: FamilyRequest): Promise<FamilyUse> {
  const { authenticated, form, jkt, attempt, retryKey, barrier } = request
  const secret = parseSecret(form.get('refresh_token') ?? refuse('invalid_request', 'refresh_token is missing')) ?? refuseSecret()
  const family = await requireFamily(deps, secret, barrier.now)
  if (!isRefreshTokenOf(authenticated.client, family, secret)) return refuseSecret()
  if (equalTexts(secret.digest, family.secret)) return isOfKey(family, request) ? next(deps, request, family, secret) : refuseSecret()
  const { lastUse } = family
  if (lastUse && equalTexts(secret.digest, lastUse.secret)) {
    const isRetry =
      retryKey !== undefined &&
      lastUse.retryKey === digestOfText(retryKey) &&
      lastUse.jkt === jkt &&
      barrier.now <= lastUse.usedAt + RETRY_SECONDS
    if (isRetry || lastUse.attempt === attempt) return again(family, secret)
  }
  await endFamily(deps, authenticated.client, family)
  return refuseSecret()
}

type RedeemedFamily = Family & { readonly secret: string }

/** True for the newest refresh token and for any other with the id of the family, because the older ones are not stored. */
const isRefreshTokenOf = (client: Client | ExternalClient, family: Family, { digest }: Secret): family is RedeemedFamily =>
  isOfClient(family, client) && family.secret !== undefined && !equalTexts(digest, family.code)

const isOfClient = ({ clientId }: Family, { id }: { readonly id: string }): boolean => clientId === id

async function requireFamily({ families, trustLog }: FamilyDeps, { familyId }: Secret, now: number): Promise<Family> {
  const family = await families.get(familyId)
  return family && family.expiresAt > now && stands(trustLog.ended, [family.handle, ...family.dependsOn]) ? family : refuseSecret()
}

/** Replaces the secret. Of several uses at once one succeeds. */
function next(
  { families, random }: FamilyDeps,
  { jkt, attempt, retryKey, barrier }: FamilyRequest,
  family: Family,
  used: Secret,
): FamilyUse {
  const following = family.isOffline ? newSecret(random, family.id) : undefined
  const operation = families.changing(
    family.id,
    { uses: family.uses },
    {
      uses: family.uses + 1,
      secret: following?.digest,
      // A family that began without a key never takes one: it could be that of a thief
      ...(jkt && family.uses === 0 && { jkt }),
      lastUse: {
        secret: used.digest,
        usedAt: barrier.now,
        attempt,
        ...(retryKey !== undefined && { retryKey: digestOfText(retryKey) }),
        ...(jkt && { jkt }),
        ...(following && { sealed: seal(used, following, random) }),
      },
    },
  )
  return { family, operations: [operation], refreshToken: following?.text }
}

/** Repeats the response of the last use without a change in the store. */
function again(family: Family, used: Secret): FamilyUse {
  const sealed = family.lastUse?.sealed
  return { family, operations: [], refreshToken: sealed === undefined ? undefined : unseal(used, sealed)?.text }
}

/** Ends the family of a refresh token, used or not, for its client. False if it is no refresh token of a family of the client. */
export async function revokeRefreshToken(
  deps: FamilyDeps,
  client: Client | ExternalClient,
  token: string,
  because: RevocationReason,
): Promise<boolean> {
  const secret = parseSecret(token)
  const family = secret && (await deps.families.get(secret.familyId))
  if (!family || !isRefreshTokenOf(client, family, secret)) return false
  const ends = [endingOfExpiring(family)]
  const draft = { ...rowOf(family, client), action: 'oauth.revoke' }
  await deps.trustLog.end({ type: 'family.revoked', ends, operations: deps.audit.recordingEnd(draft, { ends, ...because }) })
  return true
}

/** Ends a family because one of its secrets was used twice. This revokes every token of the family. */
async function endFamily({ trustLog, audit }: FamilyDeps, client: Client | ExternalClient, family: Family): Promise<void> {
  const ends = [endingOfExpiring(family)]
  const draft = { ...rowOf(family, client), action: 'oauth.token', facts: { reused: family.uses === 1 ? 'code' : 'refresh_token' } }
  await trustLog.end({ type: 'family.revoked', ends, operations: audit.recordingEnd(draft, { ends, reason: 'compromised' }) })
}

/** An audit row of the client's organisation, which the organisation of the person reads too. A client without organisation has only the latter. */
const rowOf = (family: Family, { id, orgId = family.orgId }: Client | ExternalClient) => ({
  orgId,
  actor: ActorId.parse(id),
  outcome: 'done' as const,
  ...otherSide({ orgId }, family),
  subject: family.id,
})
