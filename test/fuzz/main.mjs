// npm run fuzz -- [seconds [seed]]: mutated requests to every endpoint of a started registry; the same seed makes the same mutations.
import { newDice } from '../prove/tools.mjs'
import { runFuzz } from './endpoints.mjs'

const [seconds = '60', seed = String(Date.now() % 1_000_000)] = process.argv.slice(2)
const { total, counts, outcomes, faults } = await runFuzz({ seconds: Number(seconds), seed, dice: newDice(Number(seed)), say: console.log })
for (const [name, count] of Object.entries(counts))
  console.log(`${String(count).padStart(7)} ${name} ${JSON.stringify(outcomes[name] ?? {})}`)
console.log(`fuzz: ${total} sent with seed ${seed}, ${faults.length} faults`)
for (const fault of faults) console.log(`  ${fault}`)
process.exitCode = faults.length === 0 ? 0 : 1
