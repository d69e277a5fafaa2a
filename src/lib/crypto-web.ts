import { sha256 as nobleSha256 } from '@noble/hashes/sha2.js'

/** The same as in crypto-node.ts, for browsers: package.json `imports` chooses. WebCrypto has no synchronous digest, hence @noble/hashes. */
export const sha256 = (data: Uint8Array): Uint8Array => nobleSha256(data)
