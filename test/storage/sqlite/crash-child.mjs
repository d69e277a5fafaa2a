// Writes to the store in the folder that it is given and is killed with SIGKILL, by itself, at the point that it is given.
// Prints a line for every answer that it was given before. Its work is the same every time, so that the test knows what was asked.
import { writeSync } from 'node:fs'
import { pathToFileURL } from 'node:url'

const [module, file, point] = process.argv.slice(2)
const { openSqlite, z } = await import(pathToFileURL(module).href)

const die = () => process.kill(process.pid, 'SIGKILL')
const say = (line) => writeSync(1, `${line}\n`)

/** Where in the fatal round: the step of the group commit, and the how-manieth time that it is passed. */
const POINTS = {
  'before BEGIN': ['asked', 1],
  'after BEGIN': ['begun', 1],
  'after the first SAVEPOINT': ['savepoint', 1],
  'between two operations of a commit': ['schema', 1],
  'before RELEASE, a commit being written': ['worked', 1],
  'mid-batch, after the first RELEASE': ['released', 1],
  'in the append of a block, before RELEASE': ['worked', 3],
  'after a rollback to its SAVEPOINT': ['released', 2],
  'before COMMIT': ['committing', 1],
  'after COMMIT, before any answer': ['committed', 1],
}
const [fatalStep, fatalCount] = POINTS[point] ?? ['never', 0]
let isFatal = false
let passed = 0
const pass = (step) => {
  if (isFatal && step === fatalStep && ++passed === fatalCount) die()
}

const things = (name) => ({
  name,
  // the schema is asked inside the transaction when a document changes
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
  orgId: 'o',
  name: `round ${round}`,
  description: '',
  skillText: '',
  skills: [],
  tags: [],
  modes: [],
  updatedAt: round,
  shown: { text: { name: `card ${round}` } },
})

/** Three requests of one turn: a commit over two collections, a counter and a card; one that fails; a block of the log. */
function ask(round) {
  const whole = storage.commit([
    left.inserting({ id: `l${round}`, round, state: 'new', pad }),
    { kind: 'count', key: 'rounds', by: 1, limit: 1e9, expiresAt: 2e9 },
    { kind: 'index-card', row: card(round) },
    left.changing(`l${round}`, { state: 'new' }, { state: 'changed' }),
    right.inserting({ id: `r${round}`, round, state: 'new', pad }),
  ])
  const failing = storage.commit([left.inserting({ id: `f${round}`, round: -1, state: 'new', pad }), left.taking('nobody', {})])
  const appended = storage.log.append(block(round))
  return Promise.all([
    whole.then((answer) => say(`whole ${round} ${answer.ok}`)),
    failing.then((answer) => say(`failing ${round} ${answer.ok}`)),
    appended.then((answer) => say(`appended ${round} ${answer}`)),
  ])
}

// 'after the answers' is passed by nothing here: the child dies at its end
const LAST = point === 'whenever' ? Number.POSITIVE_INFINITY : 3
for (let round = 0; round < LAST; round++) await ask(round)
isFatal = true
const answered = ask(LAST)
pass('asked')
await answered
die()
