import type { Audit } from '../../audit/audit.js'
import { auditDraft } from '../../audit/audit-draft.js'
import { refuse } from '../../errors.js'
import type { Caller } from '../../http/caller.js'
import type { Random } from '../../lib/random.js'
import type { OrgId } from '../../protocol/ids.js'
import { dependenciesOf } from '../../protocol/standing.js'
import type { Storage } from '../../storage/storage.js'
import { dependenciesToStore } from '../../trust-log/horizon-rule.js'
import type { TrustLog } from '../../trust-log/trust-log.js'
import { type CeilingInput, ceilingOf } from '../agents/agent.js'
import type { GrantType } from '../clients/metadata/metadata.js'
import { newOneTimeCode } from '../keys/one-time-code.js'
import { countNewest } from '../limits/quota.js'
import type { OrganisationsStore } from '../organisations/store.js'
import type { Registration, RegistrationGrant, RegistrationGrantsStore } from './store.js'

export interface RegistrationGrantsDeps {
  readonly registrationGrants: RegistrationGrantsStore
  readonly organisations: OrganisationsStore
  readonly storage: Storage
  readonly trustLog: TrustLog
  readonly random: Random
  readonly audit: Audit
  readonly issuer: string
  readonly registration: Registration
}

interface GrantInput {
  readonly ceiling: CeilingInput
  readonly uses: number
  readonly expiresAt: number
  readonly grantTypes: readonly GrantType[]
  readonly redirectHosts?: readonly string[] | undefined
}

export interface GrantIssued {
  readonly registrationId: string
  /** Returned only here, because only its hash is stored. */
  readonly initialAccessToken: string
  readonly registrationEndpoint: string
  readonly expiresAt: number
}

const MAX_SECONDS = 30 * 86_400
const MAX_GRANTS = 100

/**
 * Issues an initial access token, with which software registers clients of the caller's organisation without a member's action.
 *
 * @see [RFC 7591 §1.2](https://www.rfc-editor.org/rfc/rfc7591.html#section-1.2)
 */
export async function issueGrant(deps: RegistrationGrantsDeps, caller: Caller, input: GrantInput): Promise<GrantIssued> {
  const { now } = caller.barrier
  const { orgId } = caller
  if (deps.registration === 'closed') refuse('conflict', 'this registry registers no clients at /oauth/register (setting `registration`)')
  const { expiresAt } = input
  if (expiresAt <= now || expiresAt > now + MAX_SECONDS)
    refuse('bad_input', 'expiresAt: must be in the future, and at most 30 days from now', {
      faults: [{ pointer: '/expiresAt', hint: 'expected epoch seconds between now and 30 days from now' }],
    })
  const organisation = (await deps.organisations.get(orgId)) ?? refuse('not_found', 'no such organisation')
  if ((await countGrants(deps, orgId)) >= MAX_GRANTS)
    refuse('conflict', `this organisation has ${MAX_GRANTS} registration grants, the maximum: revoke one`)
  const { id, codeHash, code } = newOneTimeCode(deps.random, 'reg')
  const dependencies = dependenciesOf([...caller.identities, organisation.handle, deps.trustLog.epoch])
  const grant: RegistrationGrant = {
    id,
    orgId,
    codeHash,
    ceiling: ceilingOf(deps.issuer, input.ceiling),
    grantTypes: [...input.grantTypes],
    ...(input.redirectHosts && { redirectHosts: [...input.redirectHosts] }),
    uses: input.uses,
    usesLeft: input.uses,
    issuer: caller.id,
    grantedBy: [...caller.identities],
    dependsOn: dependenciesToStore(dependencies, { now, expiresAt }),
    createdAt: now,
    expiresAt,
  }
  const row = deps.audit.recording(auditDraft(caller, 'registrations.issue', { subject: id, facts: { uses: input.uses } }))
  const committed = await deps.storage.commit([deps.registrationGrants.inserting(grant), row])
  if (!committed.ok) refuse('conflict', 'the grant could not be saved; try again')
  await deps.trustLog.requireStillStanding(caller.barrier, [...caller.dependencies.handles, ...grant.dependsOn])
  return { registrationId: id, initialAccessToken: code, registrationEndpoint: `${deps.issuer}/oauth/register`, expiresAt }
}

/** Two calls at once may pass the maximum by one: it only keeps the list short. */
const countGrants = ({ registrationGrants }: RegistrationGrantsDeps, orgId: OrgId): Promise<number> =>
  countNewest(
    (after) => registrationGrants.find('organisation', { where: { orgId }, order: 'down', limit: 100, ...(after && { after }) }),
    () => true,
    MAX_GRANTS,
  )
