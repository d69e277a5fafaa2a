// Search over HTTP among many cards, compared with bare FTS5 queries for the same words in the same process.
// BENCH_CARDS=1000000 npm run bench -- search: for figures at another size.
import { aPair, newCast } from './lib/cast.js'
import { startChild } from './lib/child.js'
import { send } from './lib/load.js'
import { median, percentile } from './lib/report.js'
import { compareExchanges, comparePublications } from './publish.js'

/** Kinds of queries, each with the bare query that finds the same cards. */
const KINDS = ['two words and two tags', 'two words', 'a sentence of 8 to 12 words', 'two tags, newest first']

export async function run(report) {
  const [cards, rounds, count] = report.isQuick ? [200, 1, 10] : [Number(process.env.BENCH_CARDS ?? 100_000), 7, 100]
  report.say(`search: ${cards} cards, ${rounds} rounds of ${count} queries of each kind`)
  const child = await startChild('search.js')
  const { issuer } = child.facts
  const cast = await newCast(child.facts)
  const { ocr, planner } = await aPair(cast, issuer)
  const before = await child.ask('memory')
  const started = performance.now()
  await child.ask('seed', { agentId: ocr.agentId, count: cards })
  report.figure('seeding', (performance.now() - started) / 1000, 's')
  const latencies = new Map(KINDS.map((kind) => [kind, []]))
  const bare = new Map([...KINDS, 'all words of both'].map((kind) => [kind, []]))
  for (let round = -1; round < rounds; round++)
    for (const kind of KINDS) {
      const queries = await child.ask('queries', { kind, count })
      const floor = await child.ask('bare', { queries, joiner: 'OR' })
      const narrow = kind === KINDS[0] ? await child.ask('bare', { queries, joiner: 'AND' }) : []
      const times = []
      for (const query of queries) {
        const sentAt = performance.now()
        const { status, text } = await send(`${issuer}/trpc/discovery.search?input=${encodeURIComponent(JSON.stringify(query))}`, {
          method: 'GET',
        })
        times.push(performance.now() - sentAt)
        // A search that is refused because the machine was busy counts with its time
        if (status !== 200 && status !== 503) throw new Error(`search responded with status ${status}: ${text}`)
      }
      if (round < 0) continue
      latencies.get(kind).push(...times)
      bare.get(kind).push(...floor)
      bare.get('all words of both').push(...narrow)
    }
  for (const kind of KINDS) {
    report.figure(`${kind}: search over HTTP, p50`, median(latencies.get(kind)), 'ms')
    report.figure(`${kind}: search over HTTP, p99`, percentile(latencies.get(kind), 0.99), 'ms')
    report.figure(`${kind}: bare FTS5, p50`, median(bare.get(kind)), 'ms')
    report.figure(`${kind}: bare FTS5, p99`, percentile(bare.get(kind), 0.99), 'ms')
  }
  report.figure('two words and two tags, all required: bare FTS5, p50', median(bare.get('all words of both')), 'ms')
  const [withTags, words, sentence] = KINDS.map((kind) => latencies.get(kind))
  report.goal('two words and two tags: search / bare FTS5, p50', median(withTags) / median(bare.get(KINDS[0])), { atMost: 4 })
  report.goal('sentence / two words, p50', median(sentence) / median(words), { atMost: 3 })
  report.goal('sentence / two words, p99', percentile(sentence, 0.99) / percentile(words, 0.99), { atMost: 8 })
  const { disk, bareDisk } = await child.ask('disk')
  report.figure('disk per card, with its record', disk / cards, 'bytes')
  report.figure('disk per card of bare FTS5', bareDisk / cards, 'bytes')
  report.figure('memory per card', ((await child.ask('memory')) - before) / cards, 'bytes')
  await comparePublications(report, { child, issuer, cast })
  await compareExchanges(report, { child, issuer, agent: ocr, planner })
  await child.stop()
}
