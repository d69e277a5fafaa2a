// npm run prove -- [model [seeds] | mutants [part of a rule's name] | kills [rounds [seed]] | backup [rounds [seed]] | faults [seconds of overload]]
//                  [soak [seconds] | mcp]     (not among the parts that run without arguments)
//                  [mongodb [seconds [seed]] | planted [part of a fault's name] | rolling [seconds]]     (a mongod: see docs/STORAGE.md)
// Without arguments the first five parts run, about twenty minutes. Exits with 1 if a part failed.
import { FAULTS, runModel } from '../model/one-commit.mjs'
import { runBackups } from './backup.mjs'
import { runFaults } from './faults.mjs'
import { runKills } from './kills.mjs'
import { runMcpConformance } from './mcp-conformance.mjs'
import { runPlanted } from './mongo/planted.mjs'
import { runMongodb } from './mongodb.mjs'
import { runMutants } from './mutants.mjs'
import { runRolling } from './rolling.mjs'
import { runSoak } from './soak.mjs'

const PARTS = {
  mutants: async (only) => {
    const { planted, escaped } = await runMutants({ only, say })
    return [{ name: 'mutants', tried: planted, held: planted - escaped.length, faults: escaped.map((name) => `not detected: ${name}`) }]
  },
  kills: async (rounds = '100', seed = String(Date.now() % 1_000_000)) => {
    const { faults, gaps, acknowledged } = await runKills({ rounds: Number(rounds), seed: Number(seed), say })
    const broken = new Set(faults.map((fault) => fault.split(':')[0])).size
    const all = gaps === 0 ? faults : [...faults, `${gaps} gaps in the feed`]
    return [
      {
        name: `kills (seed ${seed})`,
        tried: Number(rounds),
        held: Number(rounds) - broken,
        faults: all,
        summary: `${acknowledged} acknowledged, all checked`,
      },
    ]
  },
  backup: async (rounds = '20', seed = String(Date.now() % 1_000_000)) => {
    const { faults, figures } = await runBackups({ rounds: Number(rounds), seed: Number(seed), say })
    const broken = new Set(faults.map((fault) => fault.split(':')[0])).size
    return [
      { name: `backup (seed ${seed})`, tried: Number(rounds), held: Number(rounds) - broken, faults, summary: `\n${inLines(figures)}` },
    ]
  },
  faults: async (seconds = '30') =>
    (await runFaults({ seconds: Number(seconds) })).map(({ name, faults, summary }) => ({
      name,
      tried: 1,
      held: faults.length === 0 ? 1 : 0,
      faults,
      summary,
    })),
  model: async (count = '10000') => {
    const faults = []
    for (let seed = 1; seed <= Number(count); seed++) faults.push(...runModel(seed).problems)
    const missed = FAULTS.filter(
      (fault) => !Array.from({ length: 500 }, (_, i) => i + 1).some((seed) => runModel(seed, fault).problems.length > 0),
    )
    const all = [...faults, ...missed.map((fault) => `not detected: ${fault}`)]
    const summary = `${FAULTS.length - missed.length} of ${FAULTS.length} planted faults found`
    return [{ name: 'model', tried: Number(count), held: Number(count) - faults.length, faults: all, summary }]
  },
  soak: async (seconds = '600') => {
    const { faults, figures } = await runSoak({ seconds: Number(seconds), say })
    return [{ name: 'soak', tried: 1, held: faults.length === 0 ? 1 : 0, faults, summary: `\n${inLines(figures)}` }]
  },
  mongodb: async (seconds = '600', seed = String(Date.now() % 1_000_000)) => {
    const { faults, figures } = await runMongodb({ seconds: Number(seconds), seed: Number(seed), say })
    const tried = Object.values(figures.faults).reduce((sum, count) => sum + count, 0)
    return [{ name: `mongodb (seed ${seed})`, tried, held: faults.length === 0 ? tried : 0, faults, summary: `\n${inLines(figures)}` }]
  },
  planted: async (only) => {
    const { planted, escaped } = await runPlanted({ only, say })
    return [{ name: 'planted', tried: planted, held: planted - escaped.length, faults: escaped.map((name) => `not detected: ${name}`) }]
  },
  mcp: async () => {
    const { checks, faults } = await runMcpConformance()
    const summary = `\n${checks.map(({ scenario, id, status }) => `  ${status.padEnd(8)} ${scenario}: ${id}`).join('\n')}`
    return [{ name: 'mcp', tried: checks.length, held: checks.length - faults.length, faults, summary }]
  },
  rolling: async (seconds = '120') =>
    Object.entries(await runRolling({ seconds: Number(seconds), say })).map(([name, { faults, figures }]) => ({
      name: `rolling: ${name}`,
      tried: 1,
      held: faults.length === 0 ? 1 : 0,
      faults,
      summary: `\n${inLines(figures)}`,
    })),
}
/** Parts that run only if named, because they need a MongoDB server, the package registry or much time. */
const NAMED_ONLY = ['soak', 'mcp', 'mongodb', 'planted', 'rolling']

const inLines = (figures) =>
  Object.entries(figures)
    .map(([name, value]) => `  ${name.padEnd(12)} ${typeof value === 'object' ? JSON.stringify(value) : value}`)
    .join('\n')

function say(text) {
  console.log(`  ${text}`)
}

// Exit handlers kill the child processes
process.once('SIGTERM', () => process.exit(1))
const [part, ...given] = process.argv.slice(2)
if (part !== undefined && !Object.hasOwn(PARTS, part)) {
  console.error(`unknown part ${part}, expected one of: ${Object.keys(PARTS).join(', ')}`)
  process.exit(2)
}
const rows = []
for (const name of part === undefined ? Object.keys(PARTS).filter((name) => !NAMED_ONLY.includes(name)) : [part]) {
  console.log(name)
  const started = performance.now()
  const found = await PARTS[name](...given)
  rows.push(...found.map((row) => ({ ...row, seconds: Math.round((performance.now() - started) / 1000) })))
}
console.log(`\n${'part'.padEnd(28)} ${'tried'.padStart(6)} ${'held'.padStart(6)} ${'s'.padStart(6)}`)
for (const { name, tried, held, seconds, faults, summary } of rows) {
  console.log(
    `${name.padEnd(28)} ${String(tried).padStart(6)} ${String(held).padStart(6)} ${String(seconds).padStart(6)}  ${summary ?? ''}`.trimEnd(),
  )
  for (const fault of faults) console.log(`  ${fault}`)
}
// A part that failed may have left a timer or a connection
process.exit(rows.every(({ faults }) => faults.length === 0) ? 0 : 1)
