// Search over HTTP among many cards, compared with a bare FTS5 query for the same words in the same process.
import { aPair, newCast } from './lib/cast.js'
import { startChild } from './lib/child.js'
import { send } from './lib/load.js'
import { median, percentile } from './lib/report.js'

export async function run(report) {
  const [cards, rounds, count] = report.isQuick ? [500, 2, 20] : [100_000, 7, 200]
  report.say(`search: ${cards} cards, ${rounds} rounds of ${count} queries for a word and two tags`)
  const child = await startChild('search.js')
  const { issuer } = child.facts
  const { ocr } = await aPair(await newCast(child.facts), issuer)
  const started = performance.now()
  await child.ask('seed', { agentId: ocr.agentId, count: cards })
  report.figure('seeding', (performance.now() - started) / 1000, 's')
  const [latencies, bare] = [[], []]
  for (let round = -1; round < rounds; round++) {
    const queries = await child.ask('queries', count)
    const floor = await child.ask('bare', queries)
    const times = []
    for (const query of queries) {
      const sentAt = performance.now()
      const { status } = await send(`${issuer}/trpc/discovery.search?input=${encodeURIComponent(JSON.stringify(query))}`, { method: 'GET' })
      times.push(performance.now() - sentAt)
      if (status !== 200) throw new Error(`search responded with status ${status}`)
    }
    if (round < 0) continue
    latencies.push(...times)
    bare.push(...floor)
  }
  report.figure('bare FTS5, p50', median(bare), 'ms')
  report.figure('bare FTS5, p99', percentile(bare, 0.99), 'ms')
  report.figure('search over HTTP, p50', median(latencies), 'ms')
  report.figure('search over HTTP, p99', percentile(latencies, 0.99), 'ms')
  report.goal('search / bare FTS5, p50', median(latencies) / median(bare), { atMost: 3 })
  report.goal('search / bare FTS5, p99', percentile(latencies, 0.99) / percentile(bare, 0.99), { atMost: 15 })
  report.figure('memory', (await child.ask('memory')) / 2 ** 20, 'MiB')
  await child.stop()
}
