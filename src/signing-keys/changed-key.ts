import { importPublicKey, verifySignature } from '#crypto'
import { thumbprint } from '../credentials/jose/jwk.js'
import { signerFromJwk } from '../credentials/jose/sign.js'
import { utf8 } from '../lib/bytes.js'
import { handleOfRegistryKey } from '../protocol/handles.js'
import { algOf, type SigningKey } from './key-store.js'

const SAMPLE = utf8('credence')

/** How a stored key of the registry was changed. Undefined if its parts belong together. */
export async function signingKeyFault({ kid, handle, publicJwk, d }: SigningKey): Promise<string | undefined> {
  if (thumbprint(publicJwk) !== kid || handleOfRegistryKey(kid) !== handle) return 'its id is not that of its public key'
  if (d === undefined) return undefined
  const alg = algOf(publicJwk)
  const fault = 'its private key does not belong to its public key'
  try {
    const signer = await signerFromJwk({ ...publicJwk, d, alg })
    const isOwn = await verifySignature(alg, await importPublicKey(publicJwk, alg), await signer.sign(SAMPLE), SAMPLE)
    return isOwn ? undefined : fault
  } catch {
    return fault
  }
}
