import { type Checkpoint, cosignerNameOf } from '../../credentials/checkpoint.js'
import { findCosignature, readVerifierKey, verifierKeyOf } from '../../credentials/cosignature.js'
import { readPublicJwk } from '../../credentials/jose/jwk.js'
import { COSIGNER_KEY, NOTE_KEY } from '../../credentials/signed-note.js'
import { refuse } from '../../errors.js'
import { clientClock } from '../../lib/clock.js'
import { fetchKeys } from '../registry.js'
import { type LogSource, readCheckpoint } from './log.js'

interface CosignedBy {
  /** Name of the witness. */
  readonly name: string
  /** When the witness signed, in epoch seconds. */
  readonly at: number
}

/**
 * Reads the newest checkpoint that witnesses have cosigned. `witnesses` are the verifier keys of those that the caller trusts; throws unless
 * each of them has cosigned the checkpoint. Compare it with other checkpoints by `isConsistent`.
 */
export async function readCosignedCheckpoint(
  source: LogSource,
  witnesses: readonly string[],
): Promise<Checkpoint & { readonly note: string; readonly cosignatures: readonly CosignedBy[] }> {
  const keys = witnesses.map((text) => {
    const key = readVerifierKey(text, COSIGNER_KEY)
    return typeof key === 'string' ? refuse('bad_input', `witness ${JSON.stringify(text)}: ${key}`) : key
  })
  if (keys.length === 0) refuse('bad_input', 'witnesses: name the verifier key of at least one witness')
  const checkpoint = await readCheckpoint(source, { isCosigned: true })
  const cosignatures: CosignedBy[] = []
  for (const key of keys) {
    const { name, at } =
      (await findCosignature(checkpoint.note, key)) ??
      refuse('checkpoint_invalid', `the witness ${key.name} has not cosigned the newest cosigned checkpoint of ${source.issuer}`)
    cosignatures.push({ name, at })
  }
  return { ...checkpoint, cosignatures }
}

/**
 * The verifier keys of a registry, for the operators of witnesses: `log` signs the checkpoints of the current epoch of its log, `witness`
 * cosigns the checkpoints of other logs. Several keys of one kind: the key is being rotated.
 */
export async function readVerifierKeys(
  source: LogSource,
): Promise<{ readonly origin: string; readonly log: readonly string[]; readonly witness: readonly string[] }> {
  const { issuer, fetch = globalThis.fetch } = source
  const { origin } = await readCheckpoint(source)
  const keys = await fetchKeys({ fetch, clock: clientClock }, issuer)
  const keysOf = (use: string, name: string, type: typeof NOTE_KEY | typeof COSIGNER_KEY) =>
    keys
      .filter((jwk) => jwk.credence_use === use)
      .map((jwk) => readPublicJwk(jwk, ['EdDSA']))
      .filter((key) => typeof key !== 'string')
      .map(({ jwk }) => verifierKeyOf(name, jwk, type))
  return { origin, log: keysOf('log-ed25519', origin, NOTE_KEY), witness: keysOf('witness', cosignerNameOf(issuer), COSIGNER_KEY) }
}
