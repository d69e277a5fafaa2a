import { digestOfJson } from '../../../credentials/jose/digest.js'
import type { Passkey } from '../store.js'

/**
 * The digest of a passkey in the log entry that registers it, so that `admin check`, `restore` and `load` notice one that was planted or changed in a store.
 * The salt hides the passkey from readers of the log.
 */
export const passkeyDigest = ({ id, memberId, orgId, handle, credentialId, publicKey, createdAt, salt = '' }: Passkey): string =>
  digestOfJson({ id, memberId, orgId, handle, credentialId, publicKey, createdAt, salt })
