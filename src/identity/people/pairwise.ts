import { createHmac } from 'node:crypto'
import { base64url } from '../../lib/bytes.js'
import { type MemberId, type OrgId, PersonId } from '../../protocol/ids.js'

/** The scope of a pairwise id: the organisation of an audience, or the client for root tokens. */
type Sector = OrgId | `client:${string}`

/** Makes the id of a person in a sector. Without the secret, ids of two sectors cannot be linked to each other or to a member. */
export type PairwiseIds = (memberId: MemberId, sector: Sector) => Promise<PersonId>

const ID_BYTES = 16

/**
 * The secret must never change, or every audience would see new people.
 *
 * @see [OpenID Connect Core §8.1](https://openid.net/specs/openid-connect-core-1_0.html#PairwiseAlg)
 */
export const newPairwiseIds =
  (secret: () => Promise<Uint8Array>): PairwiseIds =>
  async (memberId, sector) => {
    const mac = createHmac('sha256', await secret())
      .update(`${memberId}\0${sector}`)
      .digest()
    return PersonId.parse(`per_${base64url(mac.subarray(0, ID_BYTES))}`)
  }
