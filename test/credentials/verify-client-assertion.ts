import { readClientAssertion, verifyParsedAssertion } from '../../src/credentials/jose/token-types.js'
import { refuse } from '../../src/errors.js'

/** Reads and verifies a client assertion, in the two steps of the token endpoint. */
export async function verifyClientAssertion(
  assertion: unknown,
  expected: Parameters<typeof verifyParsedAssertion>[1],
): ReturnType<typeof verifyParsedAssertion> {
  const read = readClientAssertion(assertion)
  return read ? verifyParsedAssertion(read.jws, expected) : refuse('invalid_client', 'not a client assertion')
}
