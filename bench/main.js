// npm run bench -- exchange verify push search growth [--check] [--quick]
// Every figure is a ratio of two things measured in this run, interleaved, in several rounds; medians count.
import { finish, newReport } from './lib/report.js'

const BENCHES = ['exchange', 'verify', 'push', 'search', 'growth']
const asked = process.argv.slice(2)
const isQuick = asked.includes('--quick')
const isChecked = asked.includes('--check')
const unknown = asked.filter((one) => !BENCHES.includes(one) && !['--quick', '--check'].includes(one))
if (unknown.length > 0) {
  console.error(`unknown: ${unknown.join(' ')}. Known: ${BENCHES.join(' ')} --check --quick`)
  process.exit(2)
}
const chosen = BENCHES.filter((one) => asked.includes(one))

let isMet = true
for (const name of chosen.length > 0 ? chosen : BENCHES) {
  const { run } = await import(`./${name}.js`)
  const report = newReport(name, isQuick)
  await run(report)
  isMet = finish(report) && isMet
}
process.exit(isChecked && !isMet ? 1 : 0)
