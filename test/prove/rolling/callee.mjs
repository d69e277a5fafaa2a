// A callee's verifier, asked all the time: it serves no token whose end was acknowledged a second ago, and is never long without knowing.
import { proveDpop } from 'credence/client'
import { createVerifier } from 'credence/verifier'
import { pause } from '../tools.mjs'

const URL_OF_IT = 'https://ocr.example'
const STALE_MS = 1000
const PAUSE_MS = 40
const clock = { now: () => Math.floor(Date.now() / 1000) }
const random = { token: (bytes) => Buffer.from(crypto.getRandomValues(new Uint8Array(bytes))).toString('base64url') }

/** `traffic`: whose tokens come. What was seen: how often it served, refused, did not know, for how long; and `faults`. */
export async function runCallee({ traffic, deployment, cast, isOver }) {
  const { ocr, planner } = cast
  const seen = { served: 0, refused: 0, unknown: 0, longestUnknownMs: 0, faults: [] }
  const feed = await ocr.subscribe()
  const verifier = createVerifier({ issuer: deployment.issuer, audience: ocr.audience, publicUrl: URL_OF_IT, standing: feed })
  let unknownSince
  const stands = (token) => traffic.standing.includes(token) && !token.on.some((name) => traffic.ending.has(name))
  const call = async (token) => {
    const { accessToken, endedAt, jti } = token
    const proof = await proveDpop({ signer: planner.signer, clock, random }, { htm: 'POST', htu: `${URL_OF_IT}/a2a`, accessToken })
    const askedAt = performance.now()
    const headers = { authorization: `DPoP ${accessToken}`, dpop: proof }
    const outcome = await verifier.verify({ method: 'POST', url: '/a2a', headers }, { scope: 'ocr:read' }).then(
      () => 'served',
      ({ reason, message }) =>
        reason === 'standing_unknown' ? 'unknown' : reason === 'invalid_token' ? 'refused' : `${reason} ${message}`,
    )
    if (!Object.hasOwn(seen, outcome)) return seen.faults.push(`a call was answered ${outcome}`)
    seen[outcome]++
    if (outcome !== 'unknown') unknownSince = undefined
    else {
      unknownSince ??= askedAt
      seen.longestUnknownMs = Math.max(seen.longestUnknownMs, performance.now() - unknownSince)
    }
    if (outcome === 'served' && endedAt !== undefined && askedAt > endedAt + STALE_MS)
      seen.faults.push(`token ${jti} was served ${Math.round(askedAt - endedAt)} ms after its end`)
    // It may have been ended while it was asked
    if (outcome === 'refused' && stands(token)) seen.faults.push(`token ${jti}, which stands, was refused`)
  }
  try {
    while (!isOver()) {
      const standing = traffic.standing.at(-1)
      if (standing) await call(standing)
      const ended = traffic.ended[Math.floor(Math.random() * traffic.ended.length)]
      if (ended) await call(ended)
      await pause(PAUSE_MS)
    }
    return { ...seen, feedAt: feed.seq }
  } finally {
    feed.close()
  }
}
