import { isIP } from 'node:net'
import type { AuthenticationResponseJSON, RegistrationResponseJSON } from '@simplewebauthn/server'
import { z } from 'zod'
import { refuse } from '../../../errors.js'
import { base64url, fromBase64url, utf8 } from '../../../lib/bytes.js'
import { readJson } from '../../../lib/json.js'
import type { Passkey } from '../store.js'

/** Loaded for the first passkey: it would double the time of a start. */
const webAuthn = () => import('@simplewebauthn/server')

/** ES256, EdDSA and RS256 (COSE). */
const ALGORITHMS = [-7, -8, -257]
const TIMEOUT_MS = 300_000

/** Why this registry has no passkeys; undefined if it has. An IP address cannot be a relying party. */
export function whyNoPasskeys(issuer: string): string | undefined {
  const { hostname } = new URL(issuer)
  return isIP(hostname.replace(/^\[|\]$/g, '')) === 0
    ? undefined
    : `Passkeys need a host name, and this registry is reached by the address ${hostname}.`
}

const rpIdOf = (issuer: string): string => new URL(issuer).hostname

/** The options with which a browser makes a passkey: discoverable, with verification of its user, without attestation. */
export const registrationOptions = (
  issuer: string,
  {
    challenge,
    memberId,
    name,
    known = [],
  }: { readonly challenge: string; readonly memberId: string; readonly name: string; readonly known?: readonly string[] },
): object => ({
  challenge,
  rp: { id: rpIdOf(issuer), name: 'Credence' },
  user: { id: userHandleOf(memberId), name, displayName: name },
  pubKeyCredParams: ALGORITHMS.map((alg) => ({ type: 'public-key', alg })),
  authenticatorSelection: { residentKey: 'required', requireResidentKey: true, userVerification: 'required' },
  attestation: 'none',
  excludeCredentials: known.map((id) => ({ type: 'public-key', id })),
  timeout: TIMEOUT_MS,
})

/** The options with which a browser signs a challenge by a passkey that the person selects. */
export const authenticationOptions = (issuer: string, challenge: string): object => ({
  challenge,
  rpId: rpIdOf(issuer),
  userVerification: 'required',
  timeout: TIMEOUT_MS,
})

const userHandleOf = (memberId: string): string => base64url(utf8(memberId))

const Base64url = z
  .string()
  .max(8192)
  .regex(/^[A-Za-z0-9_-]*$/)
const Credential = z.object({ id: Base64url.max(1400), rawId: Base64url, type: z.literal('public-key') })
const Registration = Credential.extend({ response: z.object({ clientDataJSON: Base64url, attestationObject: Base64url }) })
const Authentication = Credential.extend({
  response: z.object({ clientDataJSON: Base64url, authenticatorData: Base64url, signature: Base64url, userHandle: Base64url.nullish() }),
})

/** The new passkey in the response of an authenticator. */
export async function verifyRegistration(
  issuer: string,
  challenge: string,
  text: string | undefined,
): Promise<Pick<Passkey, 'credentialId' | 'publicKey' | 'counter'>> {
  const response = { ...parseCredential(Registration, text), clientExtensionResults: {} } satisfies RegistrationResponseJSON
  const { verifyRegistrationResponse } = await webAuthn()
  const options = { response, ...expected(issuer, challenge), supportedAlgorithmIDs: ALGORITHMS }
  const verified = await verifyRegistrationResponse(options).catch(deny)
  if (!verified.verified) return deny()
  const { id, publicKey, counter } = verified.registrationInfo.credential
  return { credentialId: id, publicKey: base64url(publicKey), counter }
}

/** The id of the credential that a response names, before it is verified. */
export const credentialIdOf = (text: string | undefined): string => parseCredential(Credential, text).id

/** The new counter of the passkey that has signed the challenge. A counter that is not greater than the last one is refused: the authenticator may have been copied. */
export async function verifyAuthentication(issuer: string, challenge: string, text: string | undefined, passkey: Passkey): Promise<number> {
  const { response: parts, ...credential } = parseCredential(Authentication, text)
  const { userHandle, ...others } = parts
  if (userHandle !== userHandleOf(passkey.memberId)) return deny()
  const response = { ...credential, response: others, clientExtensionResults: {} } satisfies AuthenticationResponseJSON
  const publicKey = Uint8Array.from(fromBase64url(passkey.publicKey) ?? [])
  const known = { id: passkey.credentialId, publicKey, counter: passkey.counter }
  const { verifyAuthenticationResponse } = await webAuthn()
  const verified = await verifyAuthenticationResponse({ response, ...expected(issuer, challenge), credential: known }).catch(deny)
  return verified.verified ? verified.authenticationInfo.newCounter : deny()
}

const expected = (issuer: string, challenge: string) => ({
  expectedChallenge: challenge,
  expectedOrigin: issuer,
  expectedRPID: rpIdOf(issuer),
  requireUserVerification: true,
})

function parseCredential<T>(schema: z.ZodType<T>, text = ''): T {
  const read = readJson(utf8(text), { maxDepth: 8 })
  const parsed = schema.safeParse('value' in read ? read.value : undefined)
  return parsed.success ? parsed.data : deny()
}

/** The same refusal for every fault of a passkey. */
export const deny = (): never => refuse('code_invalid', 'the passkey was not accepted, or the page was open for too long; start again')
