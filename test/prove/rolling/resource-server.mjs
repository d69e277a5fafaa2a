// Calls the verifier of a resource server all the time: it must not accept a token whose revocation was acknowledged more than a second ago.
import { proveDpop } from 'credence/client'
import { createVerifier } from 'credence/verifier'
import { pause } from '../tools.mjs'

const PUBLIC_URL = 'https://ocr.example'
const STALE_MS = 1000
const PAUSE_MS = 80
const clock = { now: () => Math.floor(Date.now() / 1000) }
const random = { token: (bytes) => Buffer.from(crypto.getRandomValues(new Uint8Array(bytes))).toString('base64url') }

/** `traffic`: the source of tokens. Returns how many calls were served, refused or of unknown standing, and the `faults`. */
export async function runResourceServer({ traffic, deployment, cast, isOver }) {
  const { ocr, planner } = cast
  const result = { served: 0, refused: 0, unknown: 0, longestUnknownMs: 0, faults: [] }
  const feed = await ocr.subscribe()
  const verifier = createVerifier({ issuer: deployment.issuer, audience: ocr.audience, publicUrl: PUBLIC_URL, standing: feed })
  let unknownSince
  const isValid = (token) => traffic.valid.includes(token) && !token.dependsOn.some((name) => traffic.revoking.has(name))
  const call = async (token) => {
    const { accessToken, revokedAt, jti } = token
    const proof = await proveDpop({ signer: planner.signer, clock, random }, { htm: 'POST', htu: `${PUBLIC_URL}/a2a`, accessToken })
    const calledAt = performance.now()
    const headers = { authorization: `DPoP ${accessToken}`, dpop: proof }
    const outcome = await verifier.verify({ method: 'POST', url: '/a2a', headers }, { scope: 'ocr:read' }).then(
      () => 'served',
      ({ reason, message }) =>
        reason === 'standing_unknown' ? 'unknown' : reason === 'invalid_token' ? 'refused' : `${reason} ${message}`,
    )
    if (!Object.hasOwn(result, outcome)) return result.faults.push(`a call failed: ${outcome}`)
    result[outcome]++
    if (outcome !== 'unknown') unknownSince = undefined
    else {
      unknownSince ??= calledAt
      result.longestUnknownMs = Math.max(result.longestUnknownMs, performance.now() - unknownSince)
    }
    if (outcome === 'served' && revokedAt !== undefined && calledAt > revokedAt + STALE_MS)
      result.faults.push(`token ${jti} was served ${Math.round(calledAt - revokedAt)} ms after its revocation`)
    // The token may have been revoked during the call
    if (outcome === 'refused' && isValid(token)) result.faults.push(`token ${jti} is valid and was refused`)
  }
  try {
    while (!isOver()) {
      const valid = traffic.valid.at(-1)
      if (valid) await call(valid)
      const revoked = traffic.revoked[Math.floor(Math.random() * traffic.revoked.length)]
      if (revoked) await call(revoked)
      await pause(PAUSE_MS)
    }
    return { ...result, feedAt: feed.seq }
  } finally {
    feed.close()
  }
}
