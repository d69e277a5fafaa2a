import { type SignatureVerdict, verifyCardSignatures } from '../../../credentials/agent-card/card-signatures.js'
import { canonical } from '../../../credentials/jose/canonical-json.js'
import { findPublisherKeys } from '../../../identity/keys/find.js'
import { isJsonObject, type JsonObject, parseJson } from '../../../lib/json.js'
import type { AgentId, OrgId } from '../../../protocol/ids.js'
import type { Card } from '../card-record.js'
import { type CheckDeps, keysByKid } from './check-publication.js'

/** A card and the verdicts on its signatures, in their order. */
interface VerifiedSignatures {
  readonly json: JsonObject
  readonly signatures: readonly SignatureVerdict[]
}

/** Verifies the signatures of the stored public card again. */
export async function verifyStored(deps: CheckDeps, { publicCard, orgId, agentId }: StoredCard): Promise<VerifiedSignatures> {
  const json = parseJson(publicCard)
  if (!isJsonObject(json)) throw new Error(`the stored public card of ${agentId} is not a JSON object`)
  return { json, signatures: await verifyCardSignatures(json, keysByKid(await findPublisherKeys(deps, { orgId, agentId }))) }
}

type StoredCard = Pick<Card, 'publicCard'> & { readonly orgId: OrgId; readonly agentId: AgentId }

/** True if `next` has a signature that `published`, a card with the same content, lacks. Signing again with a known key adds nothing. */
export function addsSignature(next: VerifiedSignatures, published: VerifiedSignatures): boolean {
  const known = new Set(idsOf(published))
  return idsOf(next).some((id) => !known.has(id))
}

/** Key and forms of a signature that was verified, the text of any other. */
const idsOf = ({ json, signatures }: VerifiedSignatures): string[] =>
  signatures.map((verdict, i) => {
    if (verdict.state === 'valid') return `${verdict.jkt} ${verdict.verifies.join()}`
    return canonical(Array.isArray(json.signatures) ? json.signatures[i] : json.signatures)
  })
