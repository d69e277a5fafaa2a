// CPU of the server per call over HTTP, compared with the stock adapter of @trpc/server over the same services and the same HTTP server.
// Both sides include everything from the socket to the procedure. Neither goal includes a DPoP check: a signature verification and a durable
// replay record, which cost the same with each adapter, are more than half of an authenticated call. Figures show tasks.list with it as well.
import { proveDpop } from 'credence/client'
import { systemClock } from '../dist/lib/clock.js'
import { systemRandom } from '../dist/lib/random.js'
import { aPair, newCast } from './lib/cast.js'
import { pinned, startChild } from './lib/child.js'
import { closedLoop, send } from './lib/load.js'
import { median } from './lib/report.js'

const CALLERS = 32

export async function run(report) {
  const [rounds, count] = report.isQuick ? [1, 32] : [9, 1500]
  report.say(`trpc: ${rounds} rounds of ${count} calls, ${CALLERS} callers, server on ${pinned}`)
  const child = await startChild('trpc.js')
  const { issuer, stockOrigin } = child.facts
  const { planner } = await aPair(await newCast(child.facts), issuer)
  await planner.tasks.create({ description: 'bench' })
  const { accessToken } = await planner.token()
  const proofDeps = { signer: planner.signer, clock: systemClock, random: systemRandom }

  /** CPU of one call in µs. The requests are prepared before the measurement. */
  const cpuOf = async (origin, { path, input, headersFor }) => {
    const url = `${origin}/trpc/${path}?input=${encodeURIComponent(JSON.stringify(input))}`
    const jobs = await Promise.all(Array.from({ length: count }, headersFor))
    const before = await child.ask('cpu')
    await closedLoop(jobs, CALLERS, async (headers) => {
      const { status, text } = await send(url, { method: 'GET', headers })
      if (status !== 200) throw new Error(`${status} ${text}`)
    })
    return ((await child.ask('cpu')) - before) / count
  }
  const compare = async (name, call) => {
    const results = { ours: [], stock: [], ratio: [] }
    for (let round = -1; round < rounds; round++) {
      const ours = await cpuOf(issuer, call)
      const stock = await cpuOf(stockOrigin, call)
      if (round < 0) continue
      for (const [side, value] of Object.entries({ ours, stock, ratio: ours / stock })) results[side].push(value)
    }
    report.figure(name, median(results.ours), 'µs')
    report.figure(`${name}, stock adapter`, median(results.stock), 'µs')
    return median(results.ratio)
  }

  const authorization = `DPoP ${accessToken}`
  const htu = `${issuer}/trpc/tasks.list`
  const search = { path: 'discovery.search', input: { text: 'scanned documents' }, headersFor: () => ({}) }
  const proved = {
    path: 'tasks.list',
    input: {},
    headersFor: async () => ({ authorization, dpop: await proveDpop(proofDeps, { htm: 'GET', htu, accessToken }) }),
  }
  report.goal('discovery.search / stock adapter', await compare('discovery.search', search), { atMost: 0.55 })
  const withProof = await compare('tasks.list with DPoP', proved)
  report.figure('tasks.list with DPoP / stock adapter', withProof)
  const list = await compare('tasks.list', { ...proved, headersFor: () => ({ authorization }) })
  report.goal('tasks.list / stock adapter', list, { atMost: 0.55 })
  await child.stop()
}
