// CPU of a subscriber that is a million endings behind, with the snapshot and with the missed events, compared with parsing the same messages and
// putting each handle into a Map.
import { startChild } from './lib/child.js'
import { median } from './lib/report.js'

const ENDINGS = 10_000

export async function run(report) {
  const [entries, rounds] = report.isQuick ? [4, 1] : [100, 9]
  const behind = `${(entries * ENDINGS).toExponential()} endings`
  report.say(`catch-up, ${behind}: ${rounds} rounds`)
  const server = await startChild('feed.js')
  const subscriber = await startChild('catch-up.js', { port: server.facts.port }, { core: 1 })
  await server.ask('endMany', { entries, endings: ENDINGS })
  for (const kind of ['snapshot', 'events']) {
    const bytes = await subscriber.ask('receive', kind)
    const results = { client: [], floor: [], ratio: [], memory: [], mapMemory: [], lost: [] }
    for (let round = -1; round < rounds; round++) {
      const floor = await subscriber.ask('measure', 'floor')
      const client = await subscriber.ask('measure', 'client')
      if (round < 0) continue
      results.floor.push(floor.cpu / 1000)
      results.client.push(client.cpu / 1000)
      results.ratio.push(client.cpu / floor.cpu)
      results.memory.push(client.memory / client.handles)
      results.mapMemory.push(floor.memory / floor.handles)
      results.lost.push(entries * ENDINGS - client.handles)
    }
    report.figure(`${behind} by ${kind}: size`, bytes / 1e6, 'MB')
    report.figure(`${behind} by ${kind}: CPU`, median(results.client), 'ms')
    report.figure(`${behind} by ${kind}: parse and Map, CPU`, median(results.floor), 'ms')
    report.goal(`${behind} by ${kind} / parse and Map`, median(results.ratio), { atMost: 1.3 })
    report.goal(`${behind} by ${kind}: lost`, Math.max(...results.lost), { atMost: 0 })
    report.figure(`${behind} by ${kind}: memory per handle`, median(results.memory), 'bytes')
    report.figure(`${behind} by ${kind}: memory per handle of the Map`, median(results.mapMemory), 'bytes')
  }
  await subscriber.stop()
  await server.stop()
}
