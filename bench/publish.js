// Publications with verification beside bare signature checks, and exchanges beside searches and publications. Part of `npm run bench -- search`.
import { signCard } from '../dist/credentials/agent-card/card-signatures.js'
import { nonceOf, requests } from './exchange.js'
import { aCard } from './lib/cast.js'
import { startChild } from './lib/child.js'
import { closedLoop, openLoop, send } from './lib/load.js'
import { median, percentile } from './lib/report.js'

const CALLERS = 32
const PUBLISHERS = 16
/** A publication needs these two checks: of the proof of possession, and of the card's signature. */
const CHECKS = 2
const SEARCHES_PER_SECOND = 20
const PUBLICATIONS_PER_SECOND = 5

/** Cards that differ in their description, signed before the measurement. */
async function signedCards(count, { issuer, agent, name }) {
  const cards = Array.from({ length: count }, (_, i) => ({ ...aCard(issuer), description: `Reads scanned documents. ${name} ${i}` }))
  return Promise.all(cards.map(async (card) => JSON.stringify(await signCard(card, agent.signer))))
}

const publishing =
  ({ agent }) =>
  (publicCard) =>
    agent.mutate('cards.publish', { agentId: agent.agentId, publicCard })

/** CPU of the server per publication and per signature check. */
export async function comparePublications(report, { child, issuer, cast }) {
  const [rounds, count] = report.isQuick ? [1, PUBLISHERS] : [7, 20 * PUBLISHERS]
  const bare = await startChild('crypto.js')
  const results = { publish: [], bare: [], ratio: [] }
  const agents = await Promise.all(Array.from({ length: PUBLISHERS }, (_, i) => cast.agent(`publisher ${i}`)))
  for (let round = -1; round < rounds; round++) {
    const jobs = await Promise.all(
      agents.map(async (agent) => ({ agent, cards: await signedCards(count / PUBLISHERS, { issuer, agent, name: `round ${round}` }) })),
    )
    const before = await child.ask('cpu')
    await Promise.all(jobs.map(({ agent, cards }) => closedLoop(cards, 1, publishing({ agent }))))
    const publish = ((await child.ask('cpu')) - before) / count
    const start = await bare.ask('cpu')
    await bare.ask('run', { rounds: count, checks: CHECKS, signatures: 0 })
    const floor = ((await bare.ask('cpu')) - start) / count
    if (round < 0) continue
    for (const [name, value] of Object.entries({ publish, bare: floor, ratio: floor / publish })) results[name].push(value)
  }
  await bare.stop()
  report.figure('publication with verification, CPU', median(results.publish), 'µs')
  report.figure('bare signature checks, CPU', median(results.bare), 'µs')
  report.goal('bare signature checks / publication', median(results.ratio), { atLeast: 0.5 })
}

/** Latency of exchanges at half of their maximum rate, alone and beside searches and publications. */
export async function compareExchanges(report, { child, issuer, agent, planner }) {
  const [rounds, seconds] = report.isQuick ? [1, 1] : [7, 5]
  const url = `${issuer}/oauth/token`
  const client = { signer: planner.signer, clientId: planner.agentId, issuer }
  const { accessToken } = await planner.token()
  const form = {
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token: accessToken,
    subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    audience: agent.audience,
  }
  const prepare = async (count) => requests(count, { ...client, form, url, nonce: await nonceOf(url, { ...client, form }) })
  // A request that is refused with 503, because the machine was busy for 250 ms after the read barrier, counts with its time
  const check = ({ status, text }) => {
    if (status !== 200 && status !== 503) throw new Error(`${status} ${text}`)
  }
  const exchange = async (job) => check(await send(url, job))
  const full = await prepare(report.isQuick ? 64 : 1500)
  const perSecond = (full.length / (await closedLoop(full, CALLERS, exchange)).ms) * 500
  report.figure('exchanges at half of the maximum', perSecond, '/s')
  const search = async ({ text }) => {
    const query = encodeURIComponent(JSON.stringify({ text }))
    check(await send(`${issuer}/trpc/discovery.search?input=${query}`, { method: 'GET' }))
  }
  // On a busy machine a publication begins before the one before it is done, and is refused: it is load all the same
  const publish = publishing({ agent })
  const publishIfNext = (card) =>
    publish(card).catch((error) => {
      if (error.reason !== 'card_version_stale' && error.status !== 503) throw error
    })
  const results = { alone: [], beside: [], ratio: [] }
  for (let round = 0; round < rounds; round++) {
    const p99 = async (others = []) => {
      const jobs = await prepare(Math.ceil(perSecond * seconds))
      const [times] = await Promise.all([openLoop(jobs, perSecond, exchange), ...others.map((start) => start())])
      return percentile(times, 0.99)
    }
    const queries = await child.ask('queries', { kind: 'a sentence of 8 to 12 words', count: SEARCHES_PER_SECOND * seconds })
    const cards = await signedCards(PUBLICATIONS_PER_SECOND * seconds, { issuer, agent, name: `beside ${round}` })
    const alone = await p99()
    const beside = await p99([
      () => openLoop(queries, SEARCHES_PER_SECOND, search),
      () => openLoop(cards, PUBLICATIONS_PER_SECOND, publishIfNext),
    ])
    for (const [name, value] of Object.entries({ alone, beside, ratio: beside / alone })) results[name].push(value)
  }
  report.figure('exchanges alone, p99', median(results.alone), 'ms')
  report.figure('exchanges beside searches and publications, p99', median(results.beside), 'ms')
  report.goal('exchanges beside searches and publications / alone, p99', median(results.ratio), { atMost: 3 })
}
