import { refuse } from '../../errors.js'
import { type InviterDeps, isMemberOf, isStillAuthorised } from '../../http/caller.js'
import { codeStands, findByCode } from '../../identity/keys/one-time-code.js'
import type { RegistrationGrant, RegistrationGrantsStore } from '../../identity/registrations/store.js'
import type { Operation } from '../../storage/storage.js'
import type { TrustLog } from '../../trust-log/trust-log.js'

export interface UseGrantDeps extends InviterDeps {
  readonly registrationGrants: RegistrationGrantsStore
  readonly trustLog: TrustLog
}

/** One refusal for every fault of a token, so that its sender does not learn what exists (RFC 6750 §3.1). */
export const denyBearer = (text: string): never =>
  refuse('invalid_token', text, { challenge: 'Bearer realm="registration", error="invalid_token"' })

const denyGrant = (): never =>
  denyBearer('the initial access token is missing, wrong, used up, withdrawn or expired (send it as Authorization: Bearer …)')

/**
 * Returns the grant of an initial access token. It stands as long as its member, the member's key and the organisation, and while the member may issue
 * grants. Call after a read barrier.
 */
export async function requireGrant(deps: UseGrantDeps, token: string | undefined, now: number): Promise<RegistrationGrant> {
  const grant = token === undefined ? undefined : await findByCode(token, deps.registrationGrants.get)
  if (!grant || grant.usesLeft === 0 || grant.expiresAt <= now || !codeStands(deps.trustLog, grant.dependsOn)) return denyGrant()
  return (await isStillAuthorised(deps, grant.issuer, (issuer) => isMemberOf(issuer, grant.orgId))) ? grant : denyGrant()
}

/** The operation of a registration that uses the grant up by one. Of several registrations with the same number left, one commit succeeds. */
export const usingGrant = (
  { registrationGrants }: Pick<UseGrantDeps, 'registrationGrants'>,
  { id, usesLeft }: RegistrationGrant,
): Operation => registrationGrants.changing(id, { usesLeft }, { usesLeft: usesLeft - 1 })
