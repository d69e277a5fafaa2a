// CPU of the server per exchange, compared with the bare cryptography of an exchange; client_credentials requests per second, compared with
// oidc-provider.
import { thumbprint } from '../dist/credentials/jose/jwk.js'
import { assertClient, proveDpop } from '../dist/credentials/jose/sign.js'
import { systemClock } from '../dist/lib/clock.js'
import { systemRandom } from '../dist/lib/random.js'
import { aPair, newCast } from './lib/cast.js'
import { pinned, startChild } from './lib/child.js'
import { closedLoop, send } from './lib/load.js'
import { byNode, median } from './lib/report.js'

const CALLERS = 32
const JWT_BEARER = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

/** Signed token requests. They are prepared before the measurement, so the CPU of the client is not measured. */
export async function requests(count, { signer, clientId, issuer, url, form, nonce }) {
  const deps = { signer, clock: systemClock, random: systemRandom }
  const prepared = []
  for (let i = 0; i < count; i++) {
    const assertion = await assertClient(deps, { clientId, issuer })
    const dpop = await proveDpop(deps, { htm: 'POST', htu: url, ...(nonce && { nonce }) })
    const body = new URLSearchParams({ ...form, client_assertion_type: JWT_BEARER, client_assertion: assertion }).toString()
    prepared.push({ headers: { 'content-type': 'application/x-www-form-urlencoded', dpop }, body })
  }
  return prepared
}

/** Sends the requests. One that is refused with 503, because the machine was busy for 250 ms after the read barrier, is not counted. */
export async function sendAll(url, jobs) {
  let done = 0
  const tokens = []
  const { ms } = await closedLoop(jobs, CALLERS, async (job) => {
    const { status, text } = await send(url, job)
    if (status === 200) tokens[done++] = JSON.parse(text).access_token
    else if (status !== 503) throw new Error(`${status} ${text}`)
  })
  // Few requests show that the benchmark runs, and their speed says nothing
  const least = jobs.length < 100 ? 1 : jobs.length * 0.9
  if (done < least) throw new Error(`only ${done} of ${jobs.length} requests succeeded: this machine is too busy`)
  return { ms, done, tokens }
}

/** The current DPoP nonce. The proof names `client.url` if the registry is reached at another URL than its public one. */
export async function nonceOf(url, client) {
  const [first] = await requests(1, { url, ...client })
  return (await send(url, first)).headers['dpop-nonce']
}

export async function run(report) {
  const [rounds, count] = report.isQuick ? [1, 40] : [7, 1500]
  report.say(`exchange: ${rounds} rounds of ${count}, ${CALLERS} callers, server on ${pinned}`)
  const registry = await startChild('credence.js')
  const { issuer } = registry.facts
  const { ocr, planner } = await aPair(await newCast(registry.facts), issuer)
  const jwk = { ...planner.signer.publicJwk, kid: thumbprint(planner.signer.publicJwk) }
  const peer = await startChild('oidc-provider.js', { clientId: planner.agentId, jwk })
  const bare = await startChild('crypto.js')
  const url = `${issuer}/oauth/token`
  const peerUrl = `${peer.facts.issuer}/token`
  const client = { signer: planner.signer, clientId: planner.agentId, issuer, form: { grant_type: 'client_credentials' } }
  const peerClient = { ...client, issuer: peer.facts.issuer }

  let fresh = []
  const results = { exchange: [], unseen: [], ratio: [], bare: [], rate: [], peerRate: [], rateRatio: [] }
  const cpuOf = async (child, work) => {
    const before = await child.ask('cpu')
    const { done = count } = (await work()) ?? {}
    return ((await child.ask('cpu')) - before) / done
  }
  for (let round = -1; round < rounds; round++) {
    const nonce = await nonceOf(url, client)
    const { accessToken } = await planner.token()
    const form = {
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: accessToken,
      subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      audience: ocr.audience,
    }
    const exchanges = await requests(count, { ...client, form, url, nonce })
    // Exchanges of the root tokens of the previous round. The registry has not verified these tokens yet
    const unseen = (await requests(fresh.length, { ...client, form, url, nonce })).map(({ headers, body }, i) => {
      const parameters = new URLSearchParams(body)
      parameters.set('subject_token', fresh[i])
      return { headers, body: parameters.toString() }
    })
    const floor = await cpuOf(bare, () => bare.ask('run', { rounds: count, checks: 3, signatures: 1 }))
    const cpu = await cpuOf(registry, () => sendAll(url, exchanges))
    const credentials = await requests(count, { ...client, url, nonce })
    const { ms, done, tokens } = await sendAll(url, credentials)
    const unseenCpu = unseen.length === 0 ? 0 : await cpuOf(registry, () => sendAll(url, unseen))
    fresh = tokens
    const peerCredentials = await requests(count, { ...peerClient, url: peerUrl })
    const peerRun = await sendAll(peerUrl, peerCredentials)
    const [rate, peerRate] = [(done / ms) * 1000, (peerRun.done / peerRun.ms) * 1000]
    if (round < 0) continue // the first round warms up
    results.exchange.push(cpu)
    results.unseen.push(unseenCpu / floor)
    results.bare.push(floor)
    results.ratio.push(cpu / floor)
    results.rate.push(rate)
    results.peerRate.push(peerRate)
    results.rateRatio.push(rate / peerRate)
    report.say(
      `round ${round + 1}: ${Math.round(cpu)} µs per exchange, ${Math.round(floor)} µs bare; ${Math.round(rate)}/s, oidc-provider ${Math.round(peerRate)}/s`,
    )
  }
  report.figure('exchange, CPU', median(results.exchange), 'µs')
  report.figure('bare cryptography, CPU', median(results.bare), 'µs')
  report.goal('exchange / bare cryptography', median(results.ratio), { atMost: byNode({ node20: 2.3, node24: 2 }) })
  report.goal('the same with subject tokens never seen before', median(results.unseen), { atMost: byNode({ node20: 2.7, node24: 2.4 }) })
  report.figure('client_credentials', median(results.rate), '/s')
  report.figure('oidc-provider client_credentials', median(results.peerRate), '/s')
  report.goal('client_credentials / oidc-provider', median(results.rateRatio), { atLeast: byNode({ node20: 1.7, node24: 1.5 }) })
  for (const child of [registry, peer, bare]) await child.stop()
}
