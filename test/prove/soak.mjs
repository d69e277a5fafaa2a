// Opens and closes feed sockets (with an in-band authentication and two tRPC subscriptions in each cycle) and sends requests of each kind
// (soak-requests.mjs) in turn, for a long time. The slopes of memory, handles (sockets, timers, files) and stored bytes show what an operation
// leaves behind. An operation is a cycle or a request.
import { once } from 'node:events'
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { proveDpop } from 'credence/client'
import { WebSocket } from 'ws'
import { aPair, newCast } from '../../bench/lib/cast.js'
import { spawnNode } from '../child.mjs'
import { programFile } from '../program.mjs'
import { BATCH, KINDS, sendBatch } from './soak-requests.mjs'
import { CLOCK, freePort, pause, RANDOM } from './tools.mjs'

const PROBE = resolve(import.meta.dirname, 'soak-probe.mjs')
const AT_ONCE = 4
const WARM_UP_CYCLES = 100
const WARM_UP_REQUESTS = 320
/** Requests take this share of the time. */
const REQUEST_SHARE = 0.8
/** Fewer in a short run: for each sample the registry collects all garbage. */
const MAX_SAMPLES = 30
const SAMPLES_PER_SECOND = 3
const OF_EACH_KIND = 'requests of each kind'
/** Growth of the heap from the end of the warm-up to the end of the run that counts as none: 5 %, and 4 MiB for bounded caches that fill. */
const MAX_GROWTH = 0.05
const CACHES = 4 * 2 ** 20

export async function runSoak({ seconds, say = () => {} }) {
  const data = await mkdtemp(join(tmpdir(), 'credence-soak-'))
  const port = await freePort()
  const registry = await startProbed(data, port)
  try {
    const issuer = `http://localhost:${port}`
    const cast = await newCast({ issuer, firstCode: registry.firstCode })
    const agent = await cast.agent('subscriber')
    const pair = await aPair(cast, issuer)
    const done = { cycles: 0, [OF_EACH_KIND]: 0 }
    const cycle = async () => oneCycle(issuer, agent, (await agent.token()).accessToken)
    const cycles = async () => {
      await Promise.all(Array.from({ length: AT_ONCE }, cycle))
      done.cycles += AT_ONCE
    }
    const batch = async () => {
      await sendBatch(issuer, pair)
      done[OF_EACH_KIND] += BATCH
    }
    const sample = async () => ({ ...done, ...(await registry.figures()), stored: await bytesIn(data) })
    while (done.cycles < WARM_UP_CYCLES) await cycles()
    while (done[OF_EACH_KIND] < WARM_UP_REQUESTS) await batch()
    const samples = [await sample()]
    const count = Math.min(MAX_SAMPLES, SAMPLES_PER_SECOND * seconds)
    const started = performance.now()
    for (let n = 1; n <= count; n++) {
      // Each at least once, however slow the machine is
      for (const [work, share] of [
        [cycles, 1 - REQUEST_SHARE],
        [batch, 1],
      ])
        do await work()
        while (performance.now() - started < (seconds * 1000 * (n - 1 + share)) / count)
      await pause(50) // the last sockets are closed
      samples.push(await sample())
      say(`${Math.round((performance.now() - started) / 1000)} s: ${inText(samples.at(-1))}`)
    }
    return judge(samples)
  } finally {
    registry.child.kill('SIGTERM')
    await once(registry.child, 'exit')
    await rm(data, { recursive: true })
  }
}

async function startProbed(data, port) {
  const flags = ['serve', '--dev', '--data', data, '--port', String(port), '--admin-port', '0', '--log-level', 'error', '--limits', 'off']
  const child = spawnNode(['--expose-gc', '--import', PROBE, programFile(), ...flags], { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] })
  process.once('exit', () => child.kill('SIGKILL'))
  let text = ''
  await new Promise((done, fail) => {
    child.once('exit', (code) => fail(new Error(`the registry ended with ${code}`)))
    child.stdout.on('data', (chunk) => {
      text += chunk
      if (text.includes('serving')) done()
    })
  })
  return {
    child,
    firstCode: /^first code (\S+)/m.exec(text)?.[1],
    figures: async () => {
      child.send('figures')
      const [figures] = await once(child, 'message')
      return figures
    },
  }
}

async function oneCycle(issuer, agent, accessToken) {
  const headersFor = async (path) => ({
    authorization: `DPoP ${accessToken}`,
    dpop: await proveDpop({ signer: agent.signer, clock: CLOCK, random: RANDOM }, { htm: 'GET', htu: issuer + path, accessToken }),
  })
  const feed = new WebSocket(`${issuer.replace('http', 'ws')}/revocations`, ['a2a-revocation.v1+json'], {
    headers: await headersFor('/revocations'),
  })
  await messageOf(feed, 'hello')
  const { dpop: proof } = await headersFor('/revocations')
  feed.send(JSON.stringify({ type: 'authenticate', token: accessToken, proof }))
  feed.send(JSON.stringify({ type: 'subscribe' }))
  await messageOf(feed, 'snapshot')
  await closed(feed)
  const calls = new WebSocket(`${issuer.replace('http', 'ws')}/trpc`, { headers: await headersFor('/trpc') })
  await once(calls, 'open')
  for (const id of [1, 2]) calls.send(JSON.stringify({ id, method: 'subscription', params: { path: 'revocations.watch', input: {} } }))
  await messageOf(calls, 'snapshot')
  calls.send(JSON.stringify({ id: 1, method: 'subscription.stop' }))
  await closed(calls)
}

/** Resolves with the first message from now on that contains the text. */
const messageOf = (ws, text) =>
  new Promise((done, fail) => {
    const listen = (data) => {
      if (!String(data).includes(text)) return
      ws.off('message', listen)
      done()
    }
    ws.on('message', listen)
    ws.once('error', fail)
    ws.once('close', (code) => fail(new Error(`closed with ${code} before ${text}`)))
  })

async function closed(ws) {
  ws.close()
  await once(ws, 'close')
}

async function bytesIn(folder) {
  const names = await readdir(folder)
  const sizes = await Promise.all(names.map(async (name) => (await stat(join(folder, name))).size))
  return sizes.reduce((sum, size) => sum + size, 0)
}

const operationsOf = ({ cycles, [OF_EACH_KIND]: requests }) => cycles + KINDS * requests

function judge(samples) {
  const [first, last] = [samples[0], samples.at(-1)]
  const perOperation = (name) => slopeOf(samples.map((sample) => [operationsOf(sample), sample[name]]))
  const figures = {
    cycles: last.cycles - first.cycles,
    [OF_EACH_KIND]: last[OF_EACH_KIND] - first[OF_EACH_KIND],
    'rss, bytes per operation': Math.round(perOperation('rss')),
    'heap, bytes per operation': Math.round(perOperation('heap')),
    'handles per 1,000 operations': Math.round(perOperation('handles') * 1000),
    'stored bytes per operation': Math.round(perOperation('stored')),
    first: inText(first),
    last: inText(last),
  }
  const faults = []
  if (last.heap > first.heap * (1 + MAX_GROWTH) + CACHES) faults.push(`the heap has grown: ${inText(first)}, then ${inText(last)}`)
  if (last.handles > first.handles + AT_ONCE) faults.push(`handles are left: ${first.handles}, then ${last.handles}`)
  return { faults, figures }
}

/** Least squares. */
function slopeOf(points) {
  const mean = (i) => points.reduce((sum, point) => sum + point[i], 0) / points.length
  const [x, y] = [mean(0), mean(1)]
  const spread = points.reduce((sum, point) => sum + (point[0] - x) ** 2, 0)
  return points.reduce((sum, point) => sum + (point[0] - x) * (point[1] - y), 0) / spread
}

const mib = (bytes) => `${(bytes / 2 ** 20).toFixed(1)} MiB`
const inText = ({ cycles, [OF_EACH_KIND]: requests, rss, heap, handles, stored }) =>
  `${cycles} cycles, ${requests} requests of each kind, rss ${mib(rss)}, heap ${mib(heap)}, ${handles} handles, ${mib(stored)} stored`
