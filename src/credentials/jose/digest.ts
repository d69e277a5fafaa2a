import { sha256 } from '#crypto'
import { base64url } from '../../lib/bytes.js'
import { canonical } from './canonical-json.js'

/** The SHA-256 of the UTF-8 bytes, as base64url: used for `ath`, `sd_hash`, disclosures and token hashes. */
export const digestOfText = (text: string): string => base64url(sha256(text))

/** The SHA-256 of the canonical JSON (RFC 8785), as base64url: used for thumbprints, cards and key statements. */
export const digestOfJson = (value: unknown): string => digestOfText(canonical(value))
