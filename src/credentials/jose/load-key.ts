import { importPublicKey, type PublicKey } from '#crypto'
import { type Reason, refuse } from '../../errors.js'
import type { SignatureAlgorithm } from '../../lib/algorithms.js'
import { BoundedMap } from '../../lib/bounded-map.js'
import { type ParsedKey, parsePublicJwk } from './jwk.js'

const MAX_CACHED_KEYS = 1024
const importedKeys = new BoundedMap<string, PublicKey>(MAX_CACHED_KEYS)

/**
 * The imported key, or undefined if the platform refuses it. Cached by thumbprint and algorithm, because an import costs as much as a
 * verification.
 */
export async function loadKey(key: ParsedKey): Promise<PublicKey | undefined> {
  const name = `${key.jkt}.${key.alg}`
  const known = importedKeys.get(name)
  if (known !== undefined) return known
  try {
    return importedKeys.set(name, await importPublicKey(key.jwk, key.alg))
  } catch {
    // The form of the key is valid here, so its point is not on its curve. Each platform throws a different error for that.
    return undefined
  }
}

/** Like parsePublicJwk, but also imports the key, so a point that is not on its curve is refused too. */
export async function requireUsableKey(
  value: unknown,
  algs?: readonly SignatureAlgorithm[],
  reason: Reason = 'key_invalid',
): Promise<ParsedKey> {
  const key = parsePublicJwk(value, algs, reason)
  return (await loadKey(key)) === undefined ? refuse(reason, 'invalid key: its point is not on its curve') : key
}
