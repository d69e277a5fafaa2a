import type { Caller } from '../../http/caller.js'
import { cursorOf, type PageInput, pageOf } from '../../http/paging.js'
import type { ClientId } from '../../protocol/ids.js'
import type { Ceiling } from '../../protocol/rights.js'
import type { GrantType } from '../clients/metadata/metadata.js'
import { codeStands } from '../keys/one-time-code.js'
import type { RegistrationGrantsDeps } from './issue.js'

/** A registration grant in the response of `registrations.list`. */
interface GrantView {
  readonly registrationId: string
  /** `void`: its member or the member's key was revoked, or the registry was restored from a backup. */
  readonly state: 'usable' | 'spent' | 'void'
  readonly uses: number
  readonly usesLeft: number
  readonly grantTypes: readonly GrantType[]
  readonly redirectHosts?: readonly string[] | undefined
  readonly ceiling: Ceiling
  readonly issuedBy: ClientId
  readonly issuedAt: number
  readonly expiresAt: number
}

export interface GrantList {
  readonly items: readonly GrantView[]
  readonly cursor?: string
}

/** The registration grants of the caller's organisation that have not expired, newest first. */
export const listGrants = (deps: RegistrationGrantsDeps, caller: Caller, paging: PageInput): Promise<GrantList> =>
  deps.trustLog.afterBarrier(caller.barrier, async () => {
    const page = await deps.registrationGrants.find('organisation', { where: { orgId: caller.orgId }, order: 'down', ...cursorOf(paging) })
    const { items, cursor } = pageOf(
      page,
      ({ id, uses, usesLeft, grantTypes, redirectHosts, ceiling, issuer, createdAt, expiresAt, dependsOn }): GrantView => ({
        registrationId: id,
        state: codeStands(deps.trustLog, dependsOn) ? (usesLeft > 0 ? 'usable' : 'spent') : 'void',
        uses,
        usesLeft,
        grantTypes,
        redirectHosts,
        ceiling,
        issuedBy: issuer,
        issuedAt: createdAt,
        expiresAt,
      }),
    )
    return { items, ...(cursor && { cursor }) }
  })
