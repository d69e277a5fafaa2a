import { sha256 } from '#crypto'
import { base64url, utf8 } from '../../lib/bytes.js'
import { canonical } from './canonical-json.js'

/** base64url SHA-256 of a text's UTF-8 bytes: `ath`, `sd_hash`, digests of disclosures, token hashes. */
export const digestOfText = (text: string): string => base64url(sha256(utf8(text)))

/** base64url SHA-256 of a value's RFC 8785 bytes: card digests, registered key statements. */
export const digestOfJson = (value: unknown): string => digestOfText(canonical(value))
