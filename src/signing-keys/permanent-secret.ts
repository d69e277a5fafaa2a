import { fromBase64url } from '../lib/bytes.js'
import type { Random } from '../lib/random.js'
import type { Storage } from '../storage/storage.js'
import { secretsIn } from './key-store.js'

const NEVER = 253_402_300_799

/** Reads or creates a secret that never changes: stored ids are derived from it. It is part of every backup. */
export async function permanentSecret(
  { storage, random }: { readonly storage: Storage; readonly random: Random },
  purpose: string,
): Promise<Uint8Array> {
  const secrets = secretsIn(storage)
  const stored = await secrets.get(purpose)
  if (stored) return fromBase64url(stored.bytes) ?? new Uint8Array()
  await secrets.insert({ id: purpose, bytes: random.token(32), expiresAt: NEVER })
  return permanentSecret({ storage, random }, purpose)
}
