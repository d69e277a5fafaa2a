// kill -9 of a real registry under load, over and over on the same data: afterwards nothing that was acknowledged is missing, nothing is used
// twice, nothing is stuck half-way, and a subscriber has every ending without a gap.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { aCard, aPair, newCast as newPlayers } from '../../bench/lib/cast.js'
import { claimsOf, freePort, newDice, pause } from './tools.mjs'

const MAIN = resolve(import.meta.dirname, '../../dist/cli/main.js')

export async function startRegistry({ data, port, args = [] }) {
  const flags = ['serve', '--dev', '--data', data, '--port', String(port), '--admin-port', '0', '--log-level', 'error', ...args]
  const child = spawn(process.execPath, [MAIN, ...flags], { stdio: ['ignore', 'pipe', 'pipe'] })
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

/** An operator's registry with two agents of one organisation; `sent` has the last token request that was answered. */
export async function newCast(facts) {
  const sent = { last: undefined }
  // Kept once it was answered: what was not may well be good still
  const fetchKept = async (url, init) => {
    const answer = await fetch(url, init)
    const headers = { ...init?.headers, 'content-type': 'application/x-www-form-urlencoded' }
    if (answer.ok && String(url).endsWith('/oauth/token')) sent.last = { url, init: { ...init, headers, body: String(init.body) } }
    return answer
  }
  const cast = await newPlayers(facts)
  return { admin: cast.admin, ...(await aPair(cast, facts.issuer, { fetch: fetchKept })), sent }
}

/** The OCR agent's card with another description. */
const describedAs = (issuer, description) => ({ ...aCard(issuer), description })

/** Works until the registry is gone; what it was told is in `told`. */
async function work({ ocr, planner, sent }, issuer, told, isOver) {
  const jobs = [
    async () => {
      const { version } = await ocr.publish({ card: describedAs(issuer, `Reads, ${Math.random()}.`) })
      told.version = Math.max(told.version, version)
    },
    async () => {
      const { introductionId } = await planner.introduce({ to: ocr.agentId, purpose: 'more', scopes: ['ocr:read'] })
      told.introductions.add(introductionId)
    },
    async () => {
      const { accessToken } = await planner.exchange({ audience: ocr.audience })
      told.tokens.add(accessToken)
      told.request = sent.last
    },
    async () => {
      const [token] = told.tokens
      if (token === undefined) return
      told.tokens.delete(token)
      // From here on it may have ended: only an acknowledgement says that it has
      await planner.revoke(token)
      told.ended.add(token)
    },
    async () => {
      const [id] = told.introductions
      if (id === undefined || told.introductions.size < 2) return
      told.introductions.delete(id)
      await planner.introductions.revoke(id)
      told.endedIntroductions.add(id)
    },
  ]
  const run = async (first) => {
    for (let i = first; !isOver(); i++) {
      try {
        await jobs[i % jobs.length]()
      } catch {
        // Not acknowledged: it may or may not stand
      }
    }
  }
  await Promise.all([0, 1, 2, 3].map(run))
}

const countOf = ({ introductions, tokens, ended, endedIntroductions }) =>
  introductions.size + tokens.size + ended.size + endedIntroductions.size

async function comesBack(feed) {
  for (const until = performance.now() + 15_000; performance.now() < until; await pause(50)) {
    const isBack = await feed.sync(1000).then(
      () => true,
      () => false,
    )
    if (isBack) return true
  }
  return false
}

/** What is not as it was told to be. */
async function faultsOf({ ocr, planner, admin }, told, feed) {
  const faults = []
  const want = (holds, text) => holds || faults.push(text)
  want(await comesBack(feed), 'the subscriber does not come back')
  want((await ocr.cardView(ocr.agentId)).version >= told.version, `version ${told.version} of the card is missing`)
  for (const id of told.introductions) want((await planner.introductions.get(id)).state === 'granted', `introduction ${id} is missing`)
  for (const id of told.endedIntroductions) want((await planner.introductions.get(id)).state === 'ended', `introduction ${id} stands again`)
  for (const token of told.tokens) {
    const { jti } = claimsOf(token)
    want(
      (await admin.lineage({ tokenId: jti })).some(({ tokenId }) => tokenId === jti),
      `token ${jti} has no record`,
    )
  }
  for (const token of told.ended) {
    const { jti } = claimsOf(token)
    want((await ocr.introspect(token)).active === false, `token ${jti} is active again`)
    want(feed.ended.has(jti.replace('tok_', 'tok:')), `the subscriber has not heard of ${jti}`)
  }
  if (told.request) {
    const again = await fetch(told.request.url, told.request.init)
    want(again.status === 401 || again.status === 400, `an assertion was used twice: ${again.status}`)
  }
  return faults
}

/** Rounds on the same data. `say` hears of each. */
export async function runKills({ rounds, seed = 1, say = () => {} }) {
  const dice = newDice(seed)
  const folder = await mkdtemp(join(tmpdir(), 'credence-kills-'))
  const port = await freePort()
  const issuer = `http://127.0.0.1:${port}`
  const data = join(folder, 'data')
  let registry = await startRegistry({ data, port })
  const faults = []
  let acknowledged = 0
  let gaps = 0
  let feed
  try {
    const cast = await newCast({ issuer, firstCode: registry.firstCode })
    let last = -1
    feed = await cast.ocr.subscribe({
      onRevoked: (_ended, position) => {
        const at = Number(position.slice(position.lastIndexOf('.') + 1))
        if (at < last) gaps++
        last = at
      },
    })
    for (let round = 1; round <= rounds; round++) {
      const told = {
        version: 0,
        introductions: new Set(),
        endedIntroductions: new Set(),
        tokens: new Set(),
        ended: new Set(),
        request: undefined,
      }
      let isOver = false
      const working = work(cast, issuer, told, () => isOver)
      // In the midst of it, however fast the machine is
      const enough = 3 + dice() * 25
      for (const until = performance.now() + 5000; countOf(told) < enough && performance.now() < until; ) await pause(5)
      await pause(dice() * 30)
      await stopRegistry(registry, 'SIGKILL')
      isOver = true
      await working
      registry = await startRegistry({ data, port })
      const found = await faultsOf(cast, told, feed)
      // Nothing is stuck half-way: the same things can be done again
      await cast.ocr.publish({ card: describedAs(issuer, `Reads, round ${round}.`) })
      await cast.planner.introduce({ to: cast.ocr.agentId, purpose: 'again', scopes: ['ocr:read'] })
      const count = countOf(told)
      acknowledged += count
      faults.push(...found.map((fault) => `round ${round}: ${fault}`))
      say(`round ${round}: ${count} acknowledged, ${found.length === 0 ? 'all there' : found.join('; ')}`)
    }
  } finally {
    feed?.close()
    await stopRegistry(registry, 'SIGKILL')
    await rm(folder, { recursive: true, force: true })
  }
  return { rounds, seed, acknowledged, gaps, faults }
}
