// CPU per delivery of a revocation to all subscribers, compared with a bare loop that sends one prepared Buffer over the same sockets.
import { startChild } from './lib/child.js'
import { median, percentile } from './lib/report.js'

const BURST = 16

export async function run(report) {
  const sizes = report.isQuick ? [50] : [1000, 10_000]
  const rounds = report.isQuick ? 1 : 9
  report.say(`push: ${rounds} rounds; each process opens one file per socket (ulimit -n above ${Math.max(...sizes) + 100})`)
  for (const count of sizes) {
    const server = await startChild('feed.js')
    // The bare loop runs a thousand times for one event, so that the code of an append is compiled late
    for (let i = 0; i < (report.isQuick ? 10 : 1000); i++) await server.ask('end', 1)
    const readers = await startChild('readers.js', { port: server.facts.port }, { core: 1 })
    await readers.ask('open', count)
    const cpuOf = async (deliveries, expected, work) => {
      await readers.ask('expect', expected)
      const before = await server.ask('cpu')
      await work()
      await readers.ask('arrived')
      return ((await server.ask('cpu')) - before) / deliveries
    }
    const events = Math.ceil(10_000 / count / (report.isQuick ? 50 : 1))
    const results = { one: [], bare: [], burst: [], ratio: [], burstRatio: [] }
    let sent = 0
    await server.ask('end', 1)
    for (let round = -1; round < rounds; round++) {
      const { bytes } = await readers.ask('facts')
      let [bare, one] = [0, 0]
      // One event to 1,000 sockets takes 10 ms, which is too short to measure: a round has several, and they alternate
      for (let i = 0; i < events; i++) {
        bare += (await cpuOf(count, 1, () => server.ask('bare', bytes || 200))) / events
        one += (await cpuOf(count, 1, () => server.ask('end', 1))) / events
      }
      const burst = await cpuOf(count * BURST, BURST, () => server.ask('end', BURST))
      sent += events + BURST
      if (round < 0) continue
      for (const [name, value] of Object.entries({ one, bare, burst, ratio: one / bare, burstRatio: burst / bare }))
        results[name].push(value)
    }
    const { endedCount, gaps } = await readers.ask('facts')
    report.figure(`one event, ${count} sockets, CPU per delivery`, median(results.one), 'µs')
    report.figure(`bare ws loop, ${count} sockets, CPU per delivery`, median(results.bare), 'µs')
    report.goal(`one event / bare, ${count} sockets`, median(results.ratio), { atMost: 1.2 })
    report.goal(`bursts of ${BURST} / bare, ${count} sockets`, median(results.burstRatio), { atMost: 0.3 })
    report.goal(`lost, ${count} sockets`, (sent + 1) * count - endedCount + gaps, { atMost: 0 })
    report.figure(`memory, ${count} sockets`, (await server.ask('memory')) / 2 ** 20, 'MiB')
    if (count === 1000 || report.isQuick) {
      const seconds = report.isQuick ? 1 : 10
      const before = await server.ask('cpu')
      const waits = await readers.ask('fresh', { seconds, calls: 10 })
      const cpu = (await server.ask('cpu')) - before
      report.figure(`${count} verifiers, 10 calls/s: challenges`, waits.length / seconds, '/s')
      report.figure(`${count} verifiers, 10 calls/s: share of a core`, cpu / 1e4 / seconds, '%')
      report.figure(`${count} verifiers, 10 calls/s: latency of a challenge, p99`, percentile(waits, 0.99), 'ms')
    }
    await readers.stop()
    await server.stop()
  }
}
