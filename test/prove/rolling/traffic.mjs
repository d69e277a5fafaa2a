// Steady callers of one address. Every request has one retry, of the client's own or, for a change, of whoever asked; one that fails then has failed.
import { createAgent } from 'credence/client'
import { aCard } from '../../../bench/lib/cast.js'
import { fetchVia } from '../mongo/recorder.mjs'
import { claimsOf, pause } from '../tools.mjs'

const KEPT = 40
/** As the client waits before it asks again. */
const RECONNECT_MS = 200
/** An answer has to be given within 250 ms of what it was decided on: on a busy machine it may be refused twice, restart or not. */
const MAX_BUSY = 5

/** What all callers share: tokens that stand, tokens that have ended, names of what is being ended. `failures`: what failed beyond its retry. `busy`: for want of time alone. */
export const newTraffic = (history) => ({ history, standing: [], ended: [], ending: new Set(), introductions: [], failures: [], busy: 0 })

/** `cast`: { ocr, planner }. Goes on until `isOver()`. */
export async function runTraffic({ traffic, deployment, cast, isOver, workers = 3 }) {
  const one = async (i) => {
    const door = doorTo(traffic.history, deployment.issuer, deployment.front, cast)
    const jobs = [exchange, ask, exchange, endToken, search, exchange, endTask, ask, ...(i === 0 ? [publish] : []), introduce]
    for (let turn = i; !isOver(); turn++) {
      const job = jobs[turn % jobs.length]
      await job({ traffic, door, cast, issuer: deployment.issuer }).catch((error) => {
        if (error.reason === 'standing_unknown' && ++traffic.busy <= MAX_BUSY) return
        traffic.failures.push(`${job.name}: ${error.status} ${error.reason} ${error.message}`)
      })
      await pause(20)
    }
  }
  await Promise.all(Array.from({ length: workers }, (_, i) => one(i)))
}

/** The players as clients of one instance, or of the balancer. */
export function doorTo(history, issuer, instance, { ocr, planner, ...others }) {
  const via = fetchVia(history, issuer, instance)
  const agent = ({ clientId, signer }) => createAgent({ issuer, clientId, signer, fetch: via })
  return {
    via,
    ocr: agent(ocr),
    planner: agent(planner),
    ...Object.fromEntries(Object.entries(others).map(([name, one]) => [name, agent(one)])),
  }
}

/** A change whose connection ended without an answer is asked for once more. */
async function changed(work) {
  try {
    return await work()
  } catch (error) {
    if (error.status !== 0) throw error
    await pause(RECONNECT_MS)
    return work()
  }
}

export async function issue({ history, standing }, door, audience, more = {}, on = []) {
  const { accessToken } = await door.planner.exchange({ audience, ...more })
  const { jti, introduction_id: id } = claimsOf(accessToken)
  const token = { jti, accessToken, on: [`token ${jti}`, `introduction ${id}`, ...on] }
  history.texts.set(jti, accessToken)
  history.issued.push({ jti, on: token.on, sentAt: door.via.sentAt, at: performance.now() })
  standing.push(token)
  if (standing.length > KEPT) standing.shift()
  return token
}

export async function introspect({ history }, door, { jti, accessToken }) {
  const { active } = await door.ocr.introspect(accessToken)
  history.asked.push({ jti, active, sentAt: door.via.sentAt, at: performance.now() })
  return active
}

function hasEnded({ ended, history }, token, ending) {
  history.ended.push({ ...ending, ackedAt: performance.now() })
  ended.push({ ...token, endedAt: performance.now() })
  if (ended.length > KEPT) ended.shift()
}

/** From here on it may have ended, acknowledged or not. */
function isEnding({ standing, ending }, name) {
  ending.add(name)
  for (const token of standing.filter(({ on }) => on.includes(name))) standing.splice(standing.indexOf(token), 1)
}

const exchange = ({ traffic, door, cast }) => issue(traffic, door, cast.ocr.audience)

async function ask({ traffic, door }) {
  for (const list of [traffic.standing, traffic.ended]) {
    const token = list[Math.floor(Math.random() * list.length)]
    if (token) await introspect(traffic, door, token)
  }
}

export async function endToken({ traffic, door }, token = traffic.standing.at(0)) {
  if (token === undefined) return
  isEnding(traffic, `token ${token.jti}`)
  await door.planner.revoke(token.accessToken)
  hasEnded(traffic, token, { name: `token ${token.jti}`, jti: token.jti, handle: token.jti.replace('tok_', 'tok:') })
  await introspect(traffic, door, token)
}

export async function endTask({ traffic, door, cast }) {
  const { taskId } = await changed(() => door.planner.tasks.create({ description: 'for a while' }))
  const name = `task ${taskId}`
  const token = await issue(traffic, door, cast.ocr.audience, { taskId }, [name])
  isEnding(traffic, name)
  await changed(() => door.planner.tasks.end(taskId)).catch((error) => {
    // The first try had ended it
    if (error.reason !== 'already_ended') throw error
  })
  hasEnded(traffic, token, { name })
  await introspect(traffic, door, token)
  return token
}

async function search({ door }) {
  const { hits } = await door.planner.search({ text: 'scanned' })
  if (hits.length === 0) throw new Error('the card is not found')
}

async function introduce({ traffic, door, cast }) {
  const asked = { to: cast.ocr.agentId, purpose: 'more', scopes: ['ocr:read'] }
  const { introductionId } = await changed(() => door.planner.introductions.request(asked))
  traffic.history.granted.push(`introduction ${introductionId}`)
  traffic.introductions.push(introductionId)
  if (traffic.introductions.length < 4) return
  const id = traffic.introductions.shift()
  isEnding(traffic, `introduction ${id}`)
  traffic.history.granted.splice(traffic.history.granted.indexOf(`introduction ${id}`), 1)
  await changed(() => door.planner.introductions.revoke(id)).catch((error) => {
    if (error.reason !== 'already_revoked') throw error
  })
  traffic.history.ended.push({ name: `introduction ${id}`, ackedAt: performance.now() })
}

let cards = 0
export async function publish({ traffic, door, issuer }) {
  const card = { ...aCard(issuer), description: `Reads scanned documents, ${cards++}.` }
  for (;;) {
    try {
      const { version } = await changed(() => door.ocr.publish({ card }))
      return traffic.history.published.push({ version, text: card.description })
    } catch (error) {
      // Somebody else, or the first try
      if (error.reason !== 'card_version_stale') throw error
    }
  }
}
