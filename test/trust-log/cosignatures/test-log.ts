import { createHash } from 'node:crypto'
import { verifierKeyOf } from '../../../src/credentials/cosignature.js'
import { newPrivateJwk, signerFromJwk } from '../../../src/credentials/jose/sign.js'
import { NOTE_KEY, signNote, toBase64 } from '../../../src/credentials/signed-note.js'
import { hashLeaf, hashNode, proveConsistency } from '../../../src/protocol/log/merkle.js'

const sha256 = (data: Uint8Array | string): Uint8Array => createHash('sha256').update(data).digest()

/** A log of any software, with an Ed25519 key. Its leaves differ between logs with different `leaves`. */
export async function newTestLog(origin: string, signer?: Awaited<ReturnType<typeof signerFromJwk>>, leaves = 'leaf') {
  const key = signer ?? (await signerFromJwk(await newPrivateJwk('EdDSA')))
  const nodeOf = async (level: number, index: number): Promise<Uint8Array> =>
    level === 0
      ? hashLeaf(sha256, `${leaves} ${index}`)
      : hashNode(sha256, await nodeOf(level - 1, 2 * index), await nodeOf(level - 1, 2 * index + 1))
  const rootOf = async (size: number, first = 0): Promise<Uint8Array> => {
    if (size === 0) return sha256(new Uint8Array())
    if (size === 1) return nodeOf(0, first)
    const left = 2 ** (Math.ceil(Math.log2(size)) - 1)
    return hashNode(sha256, await rootOf(left, first), await rootOf(size - left, first + left))
  }
  const noteOf = async (size: number, text = origin): Promise<string> =>
    signNote(`${text}\n${size}\n${toBase64(await rootOf(size))}\n`, origin, [key])
  const proofOf = async (from: number, to: number): Promise<string[]> =>
    ((await proveConsistency(sha256, nodeOf, from, to)) ?? []).map((hash) => toBase64(hash))
  return {
    origin,
    signer: key,
    verifierKey: verifierKeyOf(origin, key.publicJwk, NOTE_KEY),
    noteOf,
    proofOf,
    /** The body with which the log asks a witness to cosign its tree of `size` leaves. */
    bodyOf: async (oldSize: number, size: number): Promise<string> =>
      [`old ${oldSize}`, ...(oldSize === 0 ? [] : await proofOf(oldSize, size)), '', await noteOf(size)].join('\n'),
  }
}
export type TestLog = Awaited<ReturnType<typeof newTestLog>>
