// A witness of C2SP tlog-witness: cosigns the checkpoints of the logs that the operator has configured, each of which extends the one cosigned before.
// So two clients that trust this witness see one history of a log. It does not notice a log that begins again under another origin, as a registry does
// after a restore; the witness store of `witness/` does.
//
// Cost: a few signature checks and one proof of at most 63 hashes per request; one document per log. Of several requests at once for one log, one is
// stored; the others get 409.
import { z } from 'zod'
import { sha256 } from '#crypto'
import { parseTreeHead, type TreeHead } from '../../credentials/checkpoint.js'
import { cosign, type VerifierKey } from '../../credentials/cosignature.js'
import type { Signer } from '../../credentials/jose/sign.js'
import { isSignatureOf, type Note, type NoteSignature, parseNote, signaturesBy } from '../../credentials/signed-note.js'
import { refuse } from '../../errors.js'
import type { HttpRequest, HttpResponse, Route } from '../../http/route.js'
import { base64url, decodeUtf8, fromBase64url, utf8 } from '../../lib/bytes.js'
import type { Clock } from '../../lib/clock.js'
import { verifyConsistency } from '../../protocol/log/merkle.js'
import type { OwnedSpec, Storage } from '../../storage/storage.js'
import { type AddCheckpoint, parseAddCheckpoint, SIZE_TYPE } from './request.js'

/** A log that this registry cosigns, and the key that signs its checkpoints. A log may have several keys. */
export interface CosignedOrigin {
  readonly origin: string
  readonly key: VerifierKey
}

interface WitnessDeps {
  readonly storage: Storage
  readonly clock: Pick<Clock, 'now'>
  /** Name of this witness. */
  readonly name: string
  readonly signer: () => Promise<Signer>
  readonly origins: readonly CosignedOrigin[]
}

/** Maximum number of characters of a checkpoint with its signatures. */
const MAX_NOTE = 8192

const CosignedTree = z.strictObject({
  /** The origin of the log. */
  id: z.string().max(256),
  size: z.int().min(0),
  root: z.string().length(43),
  /** The checkpoint with the log's signature and this witness's cosignature. */
  note: z.string().max(MAX_NOTE),
})
type CosignedTree = z.infer<typeof CosignedTree>

export const COSIGNED_TREES: OwnedSpec<CosignedTree> = {
  name: 'cosigned-trees',
  schema: CosignedTree,
  key: 'id',
  indexes: {},
  ownedBy: 'registry',
}

const TEXT = { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' }
const EMPTY_ROOT = base64url(sha256(new Uint8Array()))

export function cosignEndpoints(deps: WitnessDeps): Route[] {
  const trees = deps.storage.collection(COSIGNED_TREES)
  const originsByHash = new Map(deps.origins.map(({ origin }) => [Buffer.from(sha256(origin)).toString('hex'), origin]))
  return [
    { method: 'POST', path: '/witness/add-checkpoint', endpoint: (request) => addCheckpoint(deps, request) },
    {
      method: 'GET',
      path: '/witness/:originHash/checkpoint',
      endpoint: async ({ params: { originHash = '' } }) => {
        const origin = originsByHash.get(originHash)
        const tree = origin === undefined ? undefined : await trees.get(origin)
        return tree
          ? { status: 200, headers: TEXT, body: tree.note }
          : refuse('not_found', 'this witness has cosigned no checkpoint of that log')
      },
    },
  ]
}

async function addCheckpoint(deps: WitnessDeps, { body }: HttpRequest): Promise<HttpResponse> {
  const submitted =
    parseAddCheckpoint(decodeUtf8(body) ?? '') ?? refuse('bad_input', 'the body is not that of add-checkpoint (C2SP tlog-witness)')
  const note = parseNote(submitted.note) ?? refuse('bad_input', 'the body does not end with a checkpoint')
  const head = parseTreeHead(note.text) ?? refuse('bad_input', 'the body does not end with a checkpoint')
  const signature = await requireLogSignature(deps.origins, note, head.origin)
  if (submitted.oldSize > head.size)
    return refuse('bad_input', `the old size ${submitted.oldSize} is greater than the size of the checkpoint`)
  const trees = deps.storage.collection(COSIGNED_TREES)
  const stored = await trees.get(head.origin)
  if (submitted.oldSize !== (stored?.size ?? 0)) return conflict(stored)
  // Of two trees of one size only the first is cosigned, whatever the proof
  if (stored && head.size === stored.size && head.root !== stored.root) return conflict(stored)
  requireExtension(stored, head, submitted)
  const line = await cosign(note.text, deps.name, await deps.signer(), deps.clock.now())
  const tree = { size: head.size, root: head.root, note: `${note.text}\n${signature.line}${line}` }
  if (tree.note.length > MAX_NOTE) return refuse('bad_input', `the checkpoint has more than ${MAX_NOTE} characters`)
  const isStored = stored
    ? (await trees.change(head.origin, { size: stored.size, root: stored.root }, tree)) !== undefined
    : (await trees.insert({ id: head.origin, ...tree })) === 'inserted'
  return isStored ? { status: 200, headers: TEXT, body: line } : conflict(await trees.get(head.origin))
}

const conflict = (stored: CosignedTree | undefined): HttpResponse => ({
  status: 409,
  headers: { 'content-type': SIZE_TYPE, 'cache-control': 'no-store' },
  body: `${stored?.size ?? 0}\n`,
})

async function requireLogSignature(origins: readonly CosignedOrigin[], note: Note, origin: string): Promise<NoteSignature> {
  const keys = origins.filter((log) => log.origin === origin).map(({ key }) => key)
  if (keys.length === 0) return refuse('not_found', 'this witness does not cosign a log of that origin')
  let valid: NoteSignature | undefined
  for (const { name, keyId, key } of keys)
    for (const found of signaturesBy(note, name, keyId)) {
      if (!(await isSignatureOf(key, found.signature, utf8(note.text))))
        return refuse('forbidden', 'a signature of the checkpoint is wrong')
      valid ??= found
    }
  return valid ?? refuse('forbidden', 'the checkpoint is not signed by a key of that log')
}

/** Refuses a checkpoint that does not extend the stored tree. */
function requireExtension(stored: CosignedTree | undefined, { size, root }: TreeHead, { oldSize, proof }: AddCheckpoint): void {
  const isExtension =
    oldSize === 0
      ? proof.length === 0 && (size > 0 || root === EMPTY_ROOT)
      : verifyConsistency(sha256, { from: oldSize, to: size, fromRoot: bytes(stored?.root ?? ''), toRoot: bytes(root), proof })
  if (!isExtension) refuse('checkpoint_inconsistent', 'the checkpoint does not extend the one that this witness has cosigned')
}

const bytes = (text: string): Uint8Array => fromBase64url(text) ?? new Uint8Array()
