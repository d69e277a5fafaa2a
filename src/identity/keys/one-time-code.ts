import { digestOfText } from '../../credentials/jose/digest.js'
import { refuse } from '../../errors.js'
import { equalTexts } from '../../lib/bytes.js'
import type { Random } from '../../lib/random.js'
import type { Handle } from '../../protocol/handles.js'
import { stands } from '../../protocol/standing.js'
import type { Storage } from '../../storage/storage.js'
import type { TrustLog } from '../../trust-log/trust-log.js'

/** The stored part of a one-time code: its id, and the digest of its secret. */
interface StoredCode {
  readonly id: string
  readonly codeHash: string
  readonly expiresAt: number
}

const MAX_ATTEMPTS = 5
const SECRET_BYTES = 20

/** Makes a one-time code, `<prefix>_<id>.<secret>`. */
export function newOneTimeCode(random: Random, prefix: string): { readonly id: string; readonly codeHash: string; readonly code: string } {
  const id = `${prefix}_${random.token(16)}`
  const secret = random.token(SECRET_BYTES)
  return { id, codeHash: digestOfText(secret), code: `${id}.${secret}` }
}

/**
 * True while everything stands that a code, invitation or grant depends on. Each of them depends on the epoch in which it was issued, so a restore makes
 * it void. One that names no epoch was not issued by the registry.
 */
export const codeStands = ({ ended, epoch }: Pick<TrustLog, 'ended' | 'epoch'>, dependsOn: readonly Handle[]): boolean =>
  dependsOn.includes(epoch) && stands(ended, dependsOn)

/** One refusal for every fault of a code, so that the sender cannot find out which codes exist. */
export const denyCode = (): never => refuse('code_invalid', 'the code is wrong, used or expired')

/**
 * Returns what is stored under a code. A code allows MAX_ATTEMPTS attempts, right or wrong. The caller checks that the code still stands, and
 * consumes it in the commit for which it is redeemed.
 */
export async function requireOneTimeCode<D extends StoredCode>(
  { storage }: { readonly storage: Pick<Storage, 'count'> },
  code: string,
  { find, now }: { readonly find: (id: string) => Promise<D | undefined>; readonly now: number },
): Promise<D> {
  const { id, secret } = partsOf(code)
  const stored = id === undefined ? undefined : await find(id)
  if (!stored || stored.expiresAt <= now) return denyCode()
  if ((await storage.count(`code ${id}`, 1, MAX_ATTEMPTS, stored.expiresAt)) === undefined) return denyCode()
  return equalTexts(digestOfText(secret), stored.codeHash) ? stored : denyCode()
}

/** What is stored under a code that may be used several times. The number of attempts is not limited: the secret has 160 bits. */
export async function findByCode<D extends StoredCode>(code: string, find: (id: string) => Promise<D | undefined>): Promise<D | undefined> {
  const { id, secret } = partsOf(code)
  const stored = id === undefined ? undefined : await find(id)
  return stored && equalTexts(digestOfText(secret), stored.codeHash) ? stored : undefined
}

/** The id of a code and its secret; without an id for a text of another form. */
function partsOf(code: string): { readonly id?: string; readonly secret: string } {
  const [id = '', secret = '', ...rest] = code.split('.')
  return rest.length === 0 && /^[a-z]{3}_[A-Za-z0-9_-]{22}$/.test(id) ? { id, secret } : { secret }
}
