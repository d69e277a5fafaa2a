// Kills a real registry with SIGKILL under load, again and again on the same data. After each kill nothing that was acknowledged may be missing,
// no single-use item may be accepted twice, nothing may be stuck half-written, and a subscriber must have every revocation without a gap.
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { aCard, aPair, newCast as newPlayers } from '../../bench/lib/cast.js'
import { spawnNode } from '../child.mjs'
import { programFile } from '../program.mjs'
import { claimsOf, freePort, newDice, pause } from './tools.mjs'

export async function startRegistry({ data, port, args = [], logLevel = 'error' }) {
  const flags = ['serve', '--dev', '--data', data, '--port', String(port), '--admin-port', '0', '--log-level', logLevel, ...args]
  const child = spawnNode([programFile(), ...flags], { stdio: ['ignore', 'pipe', 'pipe'] })
  let text = ''
  let log = ''
  child.stderr.on('data', (chunk) => {
    log += chunk
  })
  await new Promise((done, fail) => {
    child.once('exit', (code) => fail(new Error(`the registry ended with ${code}: ${log}`)))
    child.stdout.on('data', (chunk) => {
      text += chunk
      if (text.includes('serving')) done()
    })
  })
  return { child, firstCode: /^first code (\S+)/m.exec(text)?.[1], log: () => log }
}

export async function stopRegistry({ child }, signal = 'SIGTERM') {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill(signal)
  await once(child, 'exit')
}

/** Creates an organisation with two agents. `sent.last` is the last token request that succeeded. */
export async function newCast(facts) {
  const sent = { last: undefined }
  // Only answered requests are recorded: the assertion of another one may be unused
  const recordingFetch = async (url, init) => {
    const response = await fetch(url, init)
    const headers = { ...init?.headers, 'content-type': 'application/x-www-form-urlencoded' }
    if (response.ok && String(url).endsWith('/oauth/token')) sent.last = { url, init: { ...init, headers, body: String(init.body) } }
    return response
  }
  const cast = await newPlayers(facts)
  return { admin: cast.admin, ...(await aPair(cast, facts.issuer, { fetch: recordingFetch })), sent }
}

const describedAs = (issuer, description) => ({ ...aCard(issuer), description })

/** Sends requests until the registry is killed, and records what was acknowledged. */
export async function work({ ocr, planner, sent }, issuer, acknowledged, isOver) {
  const jobs = [
    async () => {
      const { version } = await ocr.publish({ card: describedAs(issuer, `Reads, ${Math.random()}.`) })
      acknowledged.version = Math.max(acknowledged.version, version)
    },
    async () => {
      const { introductionId } = await planner.introduce({ to: ocr.agentId, purpose: 'more', scopes: ['ocr:read'] })
      acknowledged.introductions.add(introductionId)
    },
    async () => {
      const { accessToken } = await planner.exchange({ audience: ocr.audience })
      acknowledged.tokens.add(accessToken)
      acknowledged.request = sent.last
    },
    async () => {
      const [token] = acknowledged.tokens
      if (token === undefined) return
      acknowledged.tokens.delete(token)
      // From here on the token may be revoked. It is certain only after the acknowledgement
      await planner.revoke(token)
      acknowledged.revoked.add(token)
    },
    async () => {
      const [id] = acknowledged.introductions
      if (id === undefined || acknowledged.introductions.size < 2) return
      acknowledged.introductions.delete(id)
      await planner.introductions.revoke(id)
      acknowledged.revokedIntroductions.add(id)
    },
  ]
  const run = async (first) => {
    for (let i = first; !isOver(); i++) {
      try {
        await jobs[i % jobs.length]()
      } catch {
        // Without an acknowledgement the outcome is unknown
      }
    }
  }
  await Promise.all([0, 1, 2, 3].map(run))
}

export const nothingAcknowledged = () => ({
  version: 0,
  introductions: new Set(),
  revokedIntroductions: new Set(),
  tokens: new Set(),
  revoked: new Set(),
  request: undefined,
})

export const countOf = ({ introductions, tokens, revoked, revokedIntroductions }) =>
  introductions.size + tokens.size + revoked.size + revokedIntroductions.size

async function awaitReconnect(feed) {
  for (const until = performance.now() + 15_000; performance.now() < until; await pause(50)) {
    const isConnected = await feed.sync(1000).then(
      () => true,
      () => false,
    )
    if (isConnected) return true
  }
  return false
}

/** Compares the state of the registry with what was acknowledged. */
async function faultsOf({ ocr, planner, admin }, acknowledged, feed) {
  const faults = []
  const want = (holds, text) => holds || faults.push(text)
  want(await awaitReconnect(feed), 'the subscriber does not reconnect')
  want((await ocr.cardView(ocr.agentId)).version >= acknowledged.version, `version ${acknowledged.version} of the card is missing`)
  for (const id of acknowledged.introductions)
    want((await planner.introductions.get(id)).state === 'granted', `introduction ${id} is missing`)
  for (const id of acknowledged.revokedIntroductions)
    want((await planner.introductions.get(id)).state === 'ended', `introduction ${id} stands again`)
  for (const token of acknowledged.tokens) {
    const { jti } = claimsOf(token)
    want(
      (await admin.lineage({ tokenId: jti })).some(({ tokenId }) => tokenId === jti),
      `token ${jti} has no record`,
    )
  }
  for (const token of acknowledged.revoked) {
    const { jti } = claimsOf(token)
    want((await ocr.introspect(token)).active === false, `token ${jti} is active again`)
    want(feed.ended.has(jti.replace('tok_', 'tok:')), `the subscriber did not receive the revocation of ${jti}`)
  }
  if (acknowledged.request) {
    const again = await fetch(acknowledged.request.url, acknowledged.request.init)
    want(again.status === 401 || again.status === 400, `an assertion was used twice: ${again.status}`)
  }
  return faults
}

/** Runs the rounds on the same data. Reports each by `say`. */
export async function runKills({ rounds, seed = 1, say = () => {} }) {
  const dice = newDice(seed)
  const folder = await mkdtemp(join(tmpdir(), 'credence-kills-'))
  const port = await freePort()
  const issuer = `http://localhost:${port}`
  const data = join(folder, 'data')
  let registry = await startRegistry({ data, port })
  const faults = []
  let total = 0
  let gaps = 0
  let feed
  try {
    const cast = await newCast({ issuer, firstCode: registry.firstCode })
    let last = -1
    feed = await cast.ocr.subscribe({
      onRevoked: (_handles, position) => {
        const seq = Number(position.slice(position.lastIndexOf('.') + 1))
        if (seq < last) gaps++
        last = seq
      },
    })
    for (let round = 1; round <= rounds; round++) {
      const acknowledged = nothingAcknowledged()
      let isOver = false
      const working = work(cast, issuer, acknowledged, () => isOver)
      // Kills while requests are under way, however fast the machine is
      const enough = 3 + dice() * 25
      for (const until = performance.now() + 5000; countOf(acknowledged) < enough && performance.now() < until; ) await pause(5)
      await pause(dice() * 30)
      await stopRegistry(registry, 'SIGKILL')
      isOver = true
      await working
      registry = await startRegistry({ data, port })
      const found = await faultsOf(cast, acknowledged, feed)
      // Nothing is stuck: the same operations succeed again
      await cast.ocr.publish({ card: describedAs(issuer, `Reads, round ${round}.`) })
      await cast.planner.introduce({ to: cast.ocr.agentId, purpose: 'again', scopes: ['ocr:read'] })
      const count = countOf(acknowledged)
      total += count
      faults.push(...found.map((fault) => `round ${round}: ${fault}`))
      say(`round ${round}: ${count} acknowledged, ${found.length === 0 ? 'all present' : found.join('; ')}`)
    }
  } finally {
    feed?.close()
    await stopRegistry(registry, 'SIGKILL')
    await rm(folder, { recursive: true, force: true })
  }
  return { rounds, seed, acknowledged: total, gaps, faults }
}
