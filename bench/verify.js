// CPU of credence/verifier per call, compared with the two signature verifications that a call needs.
import { startChild } from './lib/child.js'
import { byNode, median } from './lib/report.js'

export async function run(report) {
  const [rounds, count] = report.isQuick ? [1, 50] : [9, 2000]
  const sizes = report.isQuick ? [100] : [100, 1_000_000]
  report.say(`verify: ${rounds} rounds of ${count} calls`)
  for (const endedCount of sizes) {
    const child = await startChild('verify.js', { endedCount })
    for (const isNew of [false, true]) {
      const results = { verify: [], bare: [], ratio: [] }
      for (let round = -1; round < rounds; round++) {
        await child.ask('prepare', { count, isNew })
        const bare = await child.ask('bare')
        const verify = await child.ask('verify')
        if (round < 0) continue
        results.bare.push(bare)
        results.verify.push(verify)
        results.ratio.push(verify / bare)
      }
      const name = `${isNew ? 'new proof key' : 'known proof key'}, ${endedCount.toExponential()} ended`
      report.figure(`verify, ${name}`, median(results.verify), 'µs')
      report.figure(`signature checks${isNew ? ' and one import' : ''}, ${name}`, median(results.bare), 'µs')
      report.goal(`verify / signature checks, ${name}`, median(results.ratio), { atMost: byNode({ node20: 1.3, node24: 1.25 }) })
    }
    report.figure(`memory with ${endedCount.toExponential()} ended`, (await child.ask('memory')) / 2 ** 20, 'MiB')
    await child.stop()
  }
}
