import { thumbprint } from '../../credentials/jose/jwk.js'
import { endorseKey, proveKey, type Signer } from '../../credentials/jose/sign.js'
import type { Jkt, RegisteredKeyId } from '../../protocol/ids.js'
import type { OptionNames } from '../../protocol/options.js'
import type { Calls } from '../call.js'
import type { TokenDeps } from '../tokens.js'

export interface RotateOptions {
  /** Time for which the old key is still accepted. Default: one hour. */
  readonly overlapSeconds?: number
}

export const ROTATE_OPTIONS: OptionNames<RotateOptions> = { overlapSeconds: true }

export interface KeyRotated {
  readonly keyId: RegisteredKeyId
  readonly jkt: Jkt
  readonly retiredKeyId: RegisteredKeyId
  /** Epoch seconds from which the registry does not accept the old key. */
  readonly retiresAt: number
}

/** Lets the key `from` of `owner` name `to` as its successor, and proves possession of `to`. */
export async function requestRotation(
  deps: Pick<TokenDeps, 'clock' | 'random' | 'metadata'>,
  calls: Calls,
  { owner, from, to }: { readonly owner: string; readonly from: Signer; readonly to: Signer },
  options: RotateOptions,
): Promise<KeyRotated> {
  const { issuer } = await deps.metadata()
  const proof = await proveKey({ ...deps, signer: to }, { issuer, owner })
  const endorsement = await endorseKey({ ...deps, signer: from }, { issuer, owner, jkt: thumbprint(to.publicJwk) })
  return calls.mutate('keys.rotate', { owner, jwk: to.publicJwk, proof, endorsement, ...options })
}

/** A signer whose key can be replaced. Whatever signs with it uses the new key from then on. */
export function replaceableSigner(first: Signer): Signer & { replace(next: Signer): void } {
  let current = first
  return {
    get alg() {
      return current.alg
    },
    get publicJwk() {
      return current.publicJwk
    },
    sign: (data) => current.sign(data),
    replace: (next) => {
      current = next
    },
  }
}
