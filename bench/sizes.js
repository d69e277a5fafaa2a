// Does the cost grow with the registry? CPU of an exchange and of ending a task beside 10 to 100,000 agents with cards, with a log of 10³ to 10⁶
// entries, and with 1 to 10,000 subscribed sockets. One dimension grows at a time; what was grown before stays. Catch-up: see catch-up.js.
import { rmSync } from 'node:fs'
import { aPair, newCast } from './lib/cast.js'
import { startChild } from './lib/child.js'
import { newFolder } from './lib/open.js'
import { median } from './lib/report.js'

const DIMENSIONS = { agents: [10, 1000, 100_000], entries: [1000, 100_000, 1_000_000], sockets: [1, 100, 10_000] }
const QUICK = { agents: [10, 20], entries: [100, 200], sockets: [1, 2] }

export async function run(report) {
  const [rounds, count, dimensions] = report.isQuick ? [2, 10, QUICK] : [3, 300, DIMENSIONS]
  report.say(`sizes: ${rounds} rounds of ${count}; 10,000 sockets need ulimit -n above 10,100`)
  const folder = newFolder()
  const registry = await startChild('growth.js', { folder })
  const readers = await startChild('readers.js', { port: registry.facts.feedPort }, { core: 1 })
  const { ocr, planner } = await aPair(await newCast(registry.facts), registry.facts.issuer)
  const cpuOf = async (work) => {
    const before = await registry.ask('cpu')
    for (let i = 0; i < count; i++) await work(i)
    return ((await registry.ask('cpu')) - before) / count
  }
  const measure = async () => {
    const results = { exchange: [], 'ending a task': [] }
    for (let round = -1; round < rounds; round++) {
      const exchange = await cpuOf(() => planner.exchange({ audience: ocr.audience }))
      const tasks = []
      for (let i = 0; i < count; i++) tasks.push(await planner.tasks.create({ description: 'bench' }))
      await readers.ask('expect', count)
      const ending = await cpuOf(async (i) => {
        await planner.tasks.end(tasks[i].taskId)
        if (i === count - 1) await readers.ask('arrived')
      })
      if (round < 0) continue
      results.exchange.push(exchange)
      results['ending a task'].push(ending)
    }
    return Object.entries(results).map(([work, values]) => [work, median(values)])
  }
  const grow = {
    agents: (more) => registry.ask('agents', { agentId: ocr.agentId, count: more }),
    entries: (more) => registry.ask('entries', more),
    sockets: (more) => readers.ask('open', more),
  }
  for (const [dimension, sizes] of Object.entries(dimensions)) {
    const found = {}
    let size = 0
    for (const next of sizes) {
      await grow[dimension](next - size)
      size = next
      for (const [work, cpu] of await measure()) {
        found[work] = [...(found[work] ?? []), cpu]
        report.figure(`${work}, ${size} ${dimension}, CPU`, cpu, 'µs')
      }
    }
    for (const [work, [least, ...more]] of Object.entries(found))
      for (const [i, cpu] of more.entries()) report.figure(`${work}: ${sizes[i + 1]} / ${sizes[0]} ${dimension}`, cpu / least)
  }
  report.figure('memory with all of these', (await registry.ask('memory')) / 2 ** 20, 'MiB')
  await readers.stop()
  await registry.ask('close')
  await registry.stop()
  rmSync(folder, { recursive: true, force: true })
}
