import { digestOfText } from '../../credentials/jose/digest.js'
import type { Random } from '../../lib/random.js'

/** Consonants that are hard to confuse; without vowels they make no words (RFC 8628 §6.1). */
const LETTERS = 'BCDFGHJKLMNPQRSTVWXZ'
const LENGTH = 8
/** Bytes from here on are skipped, so that every letter is equally likely. */
const UNBIASED = 256 - (256 % LETTERS.length)

/** A user code, `XXXX-XXXX`: one of 20^8. */
export function newUserCode(random: Random): string {
  let letters = ''
  while (letters.length < LENGTH) {
    const fitting = [...random.bytes(2 * LENGTH)].filter((byte) => byte < UNBIASED)
    letters += fitting.map((byte) => LETTERS.charAt(byte % LETTERS.length)).join('')
  }
  return `${letters.slice(0, LENGTH / 2)}-${letters.slice(LENGTH / 2, LENGTH)}`
}

/** The id of the request of a device. Case, spaces and hyphens of a typed code make no difference. */
export const idOfUserCode = (typed: string): string => digestOfText(typed.toUpperCase().replaceAll(/[^A-Z]/g, ''))
