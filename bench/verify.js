// Cost of credence/verifier per call, compared with the two signature verifications that a call needs.
import { startChild } from './lib/child.js'
import { median } from './lib/report.js'

export async function run(report) {
  const [rounds, count] = report.isQuick ? [3, 50] : [9, 2000]
  const sizes = report.isQuick ? [100] : [100, 1_000_000]
  report.say(`verify: ${rounds} rounds of ${count} calls`)
  for (const ended of sizes) {
    const child = await startChild('verify.js', { ended })
    for (const isNew of [false, true]) {
      const found = { verify: [], bare: [], ratio: [] }
      for (let round = -1; round < rounds; round++) {
        await child.ask('prepare', { count, isNew })
        const bare = await child.ask('bare')
        const verify = await child.ask('verify')
        if (round < 0) continue
        found.bare.push(bare)
        found.verify.push(verify)
        found.ratio.push(verify / bare)
      }
      const name = `${isNew ? 'new proof key' : 'known proof key'}, ${ended.toExponential()} ended`
      report.figure(`verify, ${name}`, median(found.verify), 'µs')
      report.figure(`signature checks${isNew ? ' and one import' : ''}, ${name}`, median(found.bare), 'µs')
      report.goal(`verify / signature checks, ${name}`, median(found.ratio), { atMost: 1.25 })
    }
    report.figure(`memory with ${ended.toExponential()} ended`, (await child.ask('memory')) / 2 ** 20, 'MiB')
    await child.stop()
  }
}
