// Checkpoints of transparency logs (C2SP tlog-checkpoint): a note of three lines, the origin of the log, the size of its tree and the root.
// Each epoch of a registry's log is a log of its own, with the origin `<host>/log/<epoch>`.
import { base64url, fromBase64url } from '../lib/bytes.js'
import { Handle } from '../protocol/handles.js'
import type { Jkt } from '../protocol/ids.js'
import type { VerificationKey } from './jose/jwk.js'
import type { Signer } from './jose/sign.js'
import { fromBase64, parseNote, signerOf, signNote, toBase64 } from './signed-note.js'

/** The state of any log: its first `size` entries have this Merkle root. */
export interface TreeHead {
  readonly origin: string
  readonly size: number
  /** base64url. */
  readonly root: string
}

/** The state of a registry's log. */
export interface Checkpoint extends TreeHead {
  readonly epoch: Handle
}

/** Name of a registry's log: the issuer without the scheme. */
export const logOrigin = (issuer: string): string => issuer.replace(/^https?:\/\//, '')

/** Name of a registry as a witness that cosigns other logs. */
export const cosignerNameOf = (issuer: string): string => `${logOrigin(issuer)}/witness`

/** The origin of the checkpoints of one epoch of the log. */
const originOf = (log: string, epoch: Handle): string => `${log}/log/${epoch}`

/** Parses the text of a checkpoint. Lines after the third are extensions, which mean nothing here. */
export function parseTreeHead(text: string): TreeHead | undefined {
  const [origin, size, root, ...rest] = text.split('\n')
  const hash = root === undefined ? undefined : fromBase64(root)
  if (!origin || size === undefined || !/^(0|[1-9]\d{0,14})$/.test(size) || hash?.length !== 32) return undefined
  return rest.pop() === '' && rest.every((line) => line !== '') ? { origin, size: Number(size), root: base64url(hash) } : undefined
}

/** Parses a checkpoint of a registry, without verifying it. */
export function parseCheckpoint(note: unknown): Checkpoint | undefined {
  const head = parseTreeHead(parseNote(note)?.text ?? '')
  const epoch = Handle.safeParse(/\/log\/([^/]+)$/.exec(head?.origin ?? '')?.[1])
  return head && epoch.success ? { ...head, epoch: epoch.data } : undefined
}

/** Signs a checkpoint of the log `log` with each signer. */
export function signCheckpoint(
  { log, epoch, size, root }: Omit<Checkpoint, 'origin'> & { readonly log: string },
  ...signers: readonly Signer[]
): Promise<string> {
  const hash = fromBase64url(root)
  if (hash === undefined) throw new Error('the root of the checkpoint is not base64url')
  const origin = originOf(log, epoch)
  return signNote(`${origin}\n${size}\n${toBase64(hash)}\n`, origin, signers)
}

/** Returns the checkpoint and the key that signed it, if one of `keys` signed it for the log `log`; otherwise undefined. */
export async function verifyCheckpoint(
  text: unknown,
  log: string,
  keys: readonly VerificationKey[],
): Promise<(Checkpoint & { readonly jkt: Jkt }) | undefined> {
  const note = parseNote(text)
  const checkpoint = parseCheckpoint(text)
  if (!note || !checkpoint || checkpoint.origin !== originOf(log, checkpoint.epoch)) return undefined
  const signer = await signerOf(note, checkpoint.origin, keys)
  return signer && { ...checkpoint, jkt: signer.jkt }
}
