// Writes to the store in the given file and kills itself with SIGKILL at the given point. Prints a line for each response that it got before.
// It does the same work in every run, so that the test knows what it sent.
import { writeSync } from 'node:fs'
import { pathToFileURL } from 'node:url'

const [module, file, point] = process.argv.slice(2)
const { openSqlite, z } = await import(pathToFileURL(module).href)

const die = () => process.kill(process.pid, 'SIGKILL')
const say = (line) => writeSync(1, `${line}\n`)

/** The point within the fatal round: a step of the group commit, and its occurrence. */
const POINTS = {
  'before BEGIN': ['sent', 1],
  'after BEGIN': ['begun', 1],
  'after the first SAVEPOINT': ['savepoint', 1],
  'between two operations of a commit': ['schema', 1],
  'before RELEASE, a commit being written': ['worked', 1],
  'mid-batch, after the first RELEASE': ['released', 1],
  'in the append of a block, before RELEASE': ['worked', 3],
  'after a rollback to its SAVEPOINT': ['released', 2],
  'before COMMIT': ['committing', 1],
  'after COMMIT, before any response': ['committed', 1],
}
const [fatalStep, fatalCount] = POINTS[point] ?? ['never', 0]
let isFatal = false
let passed = 0
const pass = (step) => {
  if (isFatal && step === fatalStep && ++passed === fatalCount) die()
}

const things = (name) => ({
  name,
  // A change validates the document inside the transaction
  schema: z.strictObject({ id: z.string(), round: z.number(), state: z.string(), pad: z.string() }).refine((doc) => {
    if (doc.state === 'changed') pass('schema')
    return true
  }),
  key: 'id',
  indexes: { round: { fields: ['round'] } },
})

const storage = await openSqlite({ file, clock: { now: () => 1_800_000_000 }, onStep: pass })
const left = storage.collection(things('left'))
const right = storage.collection(things('right'))
/** Its documents are written together with blocks. */
const beside = storage.collection(things('beside'))
const pad = 'x'.repeat(2_000)

const block = (n) => ({
  n,
  epoch: 'epo:AAAAAAAAAAAAAAAAAAAAAA',
  first: n * 2,
  writer: 'child',
  entries: [0, 1].map((i) => ({ id: `ent_${`${n}-${i}`.padEnd(22, '0')}`, type: 'task.ended', ends: [], seq: n * 2 + i, time: 5 })),
  frontier: [],
  size: n * 2 + 2,
})
const card = (round) => ({
  cardId: `c${round}`,
  tier: 'public',
  texts: { name: [`round ${round}`], skills: [], tags: [], examples: [], description: [] },
  properties: {},
  updatedAt: round,
  summary: { text: { name: `card ${round}` } },
})

/** Sends three requests in one turn: a commit over two collections, a counter and a card; a commit that fails; a block with a group that is done and one that fails. */
function send(round) {
  const whole = storage.commit([
    left.inserting({ id: `l${round}`, round, state: 'new', pad }),
    { kind: 'count', key: 'rounds', by: 1, limit: 1e9, expiresAt: 2e9 },
    { kind: 'index-card', cardId: `c${round}`, rows: [card(round)] },
    left.changing(`l${round}`, { state: 'new' }, { state: 'changed' }),
    right.inserting({ id: `r${round}`, round, state: 'new', pad }),
  ])
  const failing = storage.commit([left.inserting({ id: `f${round}`, round: -1, state: 'new', pad }), left.taking('unknown', {})])
  const appended = storage.log.append({
    n: round,
    groups: [
      [beside.inserting({ id: `b${round}`, round, state: 'new', pad })],
      [beside.inserting({ id: `f${round}`, round: -1, state: 'new', pad }), beside.taking('unknown', {})],
    ],
    blockOf: () => block(round),
  })
  return Promise.all([
    whole.then((result) => say(`whole ${round} ${result.ok}`)),
    failing.then((result) => say(`failing ${round} ${result.ok}`)),
    appended.then((results) => say(`appended ${round} ${results.map(({ ok }) => ok)}`)),
  ])
}

// POINTS does not contain 'after the responses': the child then kills itself at the end
const LAST = point === 'whenever' ? Number.POSITIVE_INFINITY : 3
for (let round = 0; round < LAST; round++) await send(round)
isFatal = true
const responses = send(LAST)
pass('sent')
await responses
die()
