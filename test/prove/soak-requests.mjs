// The requests of a soak run: a batch has the same number of each kind.
import { proveDpop } from 'credence/client'
import { nonceOf, requests } from '../../bench/exchange.js'
import { closedLoop, send } from '../../bench/lib/load.js'
import { CLOCK, RANDOM } from './tools.mjs'

const CALLERS = 16
/** Requests of each kind in a batch. */
export const BATCH = 32
/** The number of kinds. */
export const KINDS = 5

const TOKEN_TYPE = 'urn:ietf:params:oauth:token-type:access_token'
const EXCHANGE = { grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange', subject_token_type: TOKEN_TYPE }

/** Sends BATCH requests of each kind: public document, tRPC query, token, exchange and introspection. Throws if one of them is refused. */
export async function sendBatch(issuer, { planner, ocr }) {
  const url = (path) => issuer + path
  const [tokenUrl, introspectUrl, queryUrl] = ['/oauth/token', '/oauth/introspect', '/trpc/tasks.list'].map(url)
  const client = { signer: planner.signer, clientId: planner.agentId, issuer, form: { grant_type: 'client_credentials' } }
  const nonce = await nonceOf(tokenUrl, client)
  const { accessToken } = await planner.token()
  const form = { ...EXCHANGE, subject_token: accessToken, audience: ocr.audience }
  const introspection = { ...client, signer: ocr.signer, clientId: ocr.agentId, form: { token: accessToken }, url: introspectUrl }
  const query = async () => ({
    authorization: `DPoP ${accessToken}`,
    dpop: await proveDpop({ signer: planner.signer, clock: CLOCK, random: RANDOM }, { htm: 'GET', htu: queryUrl, accessToken }),
  })
  const to = (target, jobs) => jobs.map((job) => ({ target, job }))
  const jobs = [
    ...to(
      url('/.well-known/jwks.json'),
      Array.from({ length: BATCH }, () => ({ method: 'GET' })),
    ),
    ...to(
      `${queryUrl}?input=%7B%7D`,
      await Promise.all(Array.from({ length: BATCH }, async () => ({ method: 'GET', headers: await query() }))),
    ),
    ...to(tokenUrl, await requests(BATCH, { ...client, url: tokenUrl, nonce })),
    ...to(tokenUrl, await requests(BATCH, { ...client, form, url: tokenUrl, nonce })),
    ...to(introspectUrl, await requests(BATCH, introspection)),
  ]
  await closedLoop(jobs, CALLERS, async ({ target, job }) => {
    const { status, text } = await send(target, job)
    // 503: the machine was busy for 250 ms after the read barrier
    if (status !== 200 && status !== 503) throw new Error(`${target}: ${status} ${text}`)
  })
}
