// npm run bench -- exchange refresh verify push catch-up log-verify search relevance growth trpc fair capability console stores core speed sizes [--check] [--quick]
// Without names, all run except stores and core, which need a mongod, speed, which repeats others, and sizes.
// Every goal is a ratio of two medians. Both are measured in this run, in several interleaved rounds.
import { finish, newReport } from './lib/report.js'

/** Benchmarks that run only if they are named. */
const NAMED_ONLY = ['stores', 'core', 'speed', 'sizes']
const BENCHES = [
  'exchange',
  'refresh',
  'verify',
  'push',
  'catch-up',
  'log-verify',
  'search',
  'relevance',
  'growth',
  'trpc',
  'fair',
  'capability',
  'console',
  ...NAMED_ONLY,
]
const args = process.argv.slice(2)
const isQuick = args.includes('--quick')
const isChecked = args.includes('--check')
const unknown = args.filter((arg) => !BENCHES.includes(arg) && !['--quick', '--check'].includes(arg))
if (unknown.length > 0) {
  console.error(`unknown arguments: ${unknown.join(' ')} (expected: ${BENCHES.join(' ')} --check --quick)`)
  process.exit(2)
}
const chosen = BENCHES.filter((name) => args.includes(name))

let isMet = true
for (const name of chosen.length > 0 ? chosen : BENCHES.filter((bench) => !NAMED_ONLY.includes(bench))) {
  const { run } = await import(`./${name}.js`)
  const report = newReport(name, isQuick)
  await run(report)
  isMet = finish(report) && isMet
}
process.exit(isChecked && !isMet ? 1 : 0)
