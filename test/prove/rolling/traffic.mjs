// Steady callers of one address. Each request has one retry: by the client, or for a change by the caller. A request that fails again is a fault.
import { createAgent } from 'credence/client'
import { aCard } from '../../../bench/lib/cast.js'
import { fetchVia } from '../mongo/recorder.mjs'
import { claimsOf, pause } from '../tools.mjs'

const MAX_TOKENS = 40
/** Of each worker between two requests. */
const PAUSE_MS = 100
/** The client waits this long before its own retry. */
const RETRY_MS = 200
/** A barrier read must not be older than 250 ms. On a busy machine a request may exceed that twice, which is allowed this often. */
const MAX_BUSY = 5

/** The state that all callers share: valid and revoked tokens, and the names of what is being revoked. `failures`: requests that failed after their retry. `busy`: those that failed for lack of time. */
export const newTraffic = (history) => ({ history, valid: [], revoked: [], revoking: new Set(), introductions: [], failures: [], busy: 0 })

/** `cast`: { ocr, planner }. Runs until `isOver()`. */
export async function runTraffic({ traffic, deployment, cast, isOver, workers = 3 }) {
  const runWorker = async (i) => {
    const clients = clientsOf(traffic.history, deployment.issuer, deployment.front, cast)
    const jobs = [
      exchange,
      introspectAny,
      exchange,
      revokeToken,
      search,
      exchange,
      endTask,
      introspectAny,
      ...(i === 0 ? [publish] : []),
      introduce,
    ]
    for (let turn = i; !isOver(); turn++) {
      const job = jobs[turn % jobs.length]
      await job({ traffic, clients, cast, issuer: deployment.issuer }).catch((error) => {
        if (error.reason === 'standing_unknown' && ++traffic.busy <= MAX_BUSY) return
        traffic.failures.push(`${job.name}: ${error.status} ${error.reason} ${error.message}`)
      })
      await pause(PAUSE_MS)
    }
  }
  await Promise.all(Array.from({ length: workers }, (_, i) => runWorker(i)))
}

/** Clients of all players for one instance, or for the balancer. */
export function clientsOf(history, issuer, instance, { ocr, planner, ...others }) {
  const via = fetchVia(history, issuer, instance)
  const agent = ({ clientId, signer }) => createAgent({ issuer, clientId, signer, fetch: via })
  return {
    via,
    ocr: agent(ocr),
    planner: agent(planner),
    ...Object.fromEntries(Object.entries(others).map(([name, player]) => [name, agent(player)])),
  }
}

/** Retries a change once if the connection ended without a response. */
async function withRetry(work) {
  try {
    return await work()
  } catch (error) {
    if (error.status !== 0) throw error
    await pause(RETRY_MS)
    return work()
  }
}

export async function issue({ history, valid }, clients, audience, more = {}, dependsOn = []) {
  const { accessToken } = await clients.planner.exchange({ audience, ...more })
  const { jti, introduction_id: id } = claimsOf(accessToken)
  const token = { jti, accessToken, dependsOn: [`token ${jti}`, `introduction ${id}`, ...dependsOn] }
  history.texts.set(jti, accessToken)
  history.issued.push({ jti, dependsOn: token.dependsOn, sentAt: clients.via.sentAt, receivedAt: performance.now() })
  valid.push(token)
  if (valid.length > MAX_TOKENS) valid.shift()
  return token
}

export async function introspect({ history }, clients, { jti, accessToken }) {
  const { active } = await clients.ocr.introspect(accessToken)
  history.introspected.push({ jti, active, sentAt: clients.via.sentAt, receivedAt: performance.now() })
  return active
}

function recordRevoked({ revoked, history }, token, revocation) {
  history.revoked.push({ ...revocation, ackedAt: performance.now() })
  revoked.push({ ...token, revokedAt: performance.now() })
  if (revoked.length > MAX_TOKENS) revoked.shift()
}

/** From here on the item may be revoked, acknowledged or not: its tokens no longer count as valid. */
function beginRevoking({ valid, revoking }, name) {
  revoking.add(name)
  for (const token of valid.filter(({ dependsOn }) => dependsOn.includes(name))) valid.splice(valid.indexOf(token), 1)
}

const exchange = ({ traffic, clients, cast }) => issue(traffic, clients, cast.ocr.audience)

async function introspectAny({ traffic, clients }) {
  for (const list of [traffic.valid, traffic.revoked]) {
    const token = list[Math.floor(Math.random() * list.length)]
    if (token) await introspect(traffic, clients, token)
  }
}

export async function revokeToken({ traffic, clients }, token = traffic.valid.at(0)) {
  if (token === undefined) return
  beginRevoking(traffic, `token ${token.jti}`)
  await clients.planner.revoke(token.accessToken)
  recordRevoked(traffic, token, { name: `token ${token.jti}`, jti: token.jti, handle: token.jti.replace('tok_', 'tok:') })
  await introspect(traffic, clients, token)
}

export async function endTask({ traffic, clients, cast }) {
  const { taskId } = await withRetry(() => clients.planner.tasks.create({ description: 'for a while' }))
  const name = `task ${taskId}`
  const token = await issue(traffic, clients, cast.ocr.audience, { taskId }, [name])
  beginRevoking(traffic, name)
  await withRetry(() => clients.planner.tasks.end(taskId)).catch((error) => {
    // The first attempt succeeded
    if (error.reason !== 'already_ended') throw error
  })
  recordRevoked(traffic, token, { name })
  await introspect(traffic, clients, token)
  return token
}

async function search({ clients }) {
  const { hits } = await clients.planner.search({ text: 'scanned' })
  if (hits.length === 0) throw new Error('the card is not found')
}

async function introduce({ traffic, clients, cast }) {
  const request = { to: cast.ocr.agentId, purpose: 'more', scopes: ['ocr:read'] }
  const { introductionId } = await withRetry(() => clients.planner.introductions.request(request))
  traffic.history.granted.push(`introduction ${introductionId}`)
  traffic.introductions.push(introductionId)
  if (traffic.introductions.length < 4) return
  const id = traffic.introductions.shift()
  beginRevoking(traffic, `introduction ${id}`)
  traffic.history.granted.splice(traffic.history.granted.indexOf(`introduction ${id}`), 1)
  await withRetry(() => clients.planner.introductions.revoke(id)).catch((error) => {
    if (error.reason !== 'already_revoked') throw error
  })
  traffic.history.revoked.push({ name: `introduction ${id}`, ackedAt: performance.now() })
}

let cards = 0
export async function publish({ traffic, clients, issuer }) {
  const card = { ...aCard(issuer), description: `Reads scanned documents, ${cards++}.` }
  for (;;) {
    try {
      const { version } = await withRetry(() => clients.ocr.publish({ card }))
      return traffic.history.published.push({ version, text: card.description })
    } catch (error) {
      // Another worker published the version, or the first attempt did
      if (error.reason !== 'card_version_stale') throw error
    }
  }
}
