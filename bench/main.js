// npm run bench -- exchange verify push search growth stores [--check] [--quick]        (stores needs a mongod and runs only if named)
// Every figure is a ratio of two things measured in this run, interleaved, in several rounds; medians count.
import { finish, newReport } from './lib/report.js'

/** Benchmarks that run only if they are named, because they need a program that not every machine has. */
const NAMED_ONLY = ['stores']
const BENCHES = ['exchange', 'verify', 'push', 'search', 'growth', ...NAMED_ONLY]
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
for (const name of chosen.length > 0 ? chosen : BENCHES.filter((one) => !NAMED_ONLY.includes(one))) {
  const { run } = await import(`./${name}.js`)
  const report = newReport(name, isQuick)
  await run(report)
  isMet = finish(report) && isMet
}
process.exit(isChecked && !isMet ? 1 : 0)
