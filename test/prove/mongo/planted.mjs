// Plants one fault at a time in a copy of the built program, runs it on a real replica set, and asks whether the judge notices.
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { runOver } from '../mongodb.mjs'
import { startReplicaSet } from './replica-set.mjs'

const root = resolve(import.meta.dirname, '../../..')
const CONNECT = 'storage/mongo/session/connect.js'
const HEAD = 'storage/mongo/barrier-write.js'
const APPEND = 'trust-log/append.js'
const HALVES = 'trust-log/records/pending-writes.js'
const FENCE = 'trust-log/read-barrier.js'
const SERVER = 'http/server.js'
const HUB = 'revocations/hub.js'
const COLLECTIONS = 'storage/mongo/collections.js'
const CUT_OFF = 'the primary is cut off, with an instance'
const PAUSED = 'the primary is paused'
/** Longer than an append waits (5 s) before it is read back: a deposed primary does not know it yet. Another takes over at once. */
const ELECTION_MS = 9000

/** `edits`: [file, what stands there, what is planted]; `by`: the rules that may notice; `faults`, `seconds`: what is done to the set. */
export const PLANTED = [
  {
    name: 'w:1',
    // What a driver does where nobody asks for more. (With majority reads it would not even find what it has just written.)
    edits: [
      [CONNECT, "DURABLE = { w: 'majority', journal: true }", 'DURABLE = { w: 1 }'],
      [CONNECT, "readConcern: { level: 'majority' }", "readConcern: { level: 'local' }"],
    ],
    by: ['kept', 'blocks', 'views', 'streams', 'fresh', 'endings'],
    faults: [CUT_OFF],
    seconds: 9,
  },
  {
    name: 'local reads',
    edits: [[CONNECT, "readConcern: { level: 'majority' }", "readConcern: { level: 'local' }"]],
    by: ['kept', 'views', 'streams'],
    faults: [CUT_OFF],
    seconds: 9,
  },
  {
    name: 'check, then insert',
    edits: [
      [
        COLLECTIONS,
        'const failed = await reach(',
        'const there = new Set((await opened.docs.find({ _id: { $in: docs.map(({ _id }) => _id) } }).toArray()).map(({ _id }) => _id));\nconst failed = await reach(',
      ],
      [
        COLLECTIONS,
        'docs.map((document) => ({ insertOne: { document } }))',
        'docs.filter(({ _id }) => !there.has(_id)).map(({ _id, ...replacement }) => ({ replaceOne: { filter: { _id: { $eq: _id } }, replacement, upsert: true } }))',
      ],
      [COLLECTIONS, '.then(() => new Set(),', '.then(() => new Set(docs.flatMap(({ _id }, i) => there.has(_id) ? [i] : [])),'],
    ],
    by: ['once'],
    faults: [],
  },
  {
    name: 'the head was read before the request',
    edits: [
      [FENCE, 'waiting++;', 'if (kept && age(kept) < 200)\n            return Promise.resolve(kept);\n        waiting++;'],
      [FENCE, 'const run = readLog(deps)', 'const run = readLog(deps).then((timed) => (kept = timed))'],
      [FENCE, 'let next;', 'let next, kept;'],
    ],
    by: ['endings', 'fresh'],
    faults: [],
  },
  {
    name: 'the head of a deposed primary',
    edits: [[HEAD, 'writeConcern: { w: DURABLE.w, j: DURABLE.journal }', 'writeConcern: { w: 1 }']],
    // Not "active": whoever asks must prove who it is, and what spends its assertion is a write that a deposed primary cannot do.
    // A subscriber's "is that all?" needs nothing but the head.
    by: ['fresh'],
    faults: [CUT_OFF],
    seconds: 7,
  },
  {
    name: 'an unacknowledged block is applied',
    edits: [[APPEND, "log.warn('an append is read back', { error: String(error), 'log.block': block.n });", 'return block;']],
    by: ['kept', 'views', 'streams'],
    faults: [CUT_OFF],
    seconds: 9,
  },
  {
    name: 'a retry that appends twice',
    edits: [
      [APPEND, "log.warn('an append is read back', { error: String(error), 'log.block': block.n });", "return 'taken';"],
      [APPEND, 'const ask = async (deps, id) => id === undefined ? undefined :', 'const ask = async (deps, id) => true ? undefined :'],
      [APPEND, 'applied.hasRecent(id)', 'false'],
    ],
    by: ['blocks'],
    faults: [PAUSED],
    // Over before the reading that follows the time-out (5 s) gives up too
    seconds: 5.7,
    electionMs: 60_000,
  },
  {
    name: 'the first of a batch is not told',
    edits: [[HUB, 'entries.flatMap(({ ends }) => ends)', 'entries.slice(1).flatMap(({ ends }) => ends)']],
    by: ['streams'],
    faults: [],
  },
  {
    name: 'the time-outs of the driver',
    // The door bounds every answer too, so neither shows alone: what is planted is that nothing does.
    edits: [
      [CONNECT, '...TIMES,', ''],
      [SERVER, 'ANSWER_MS = 10_000', 'ANSWER_MS = 600_000'],
    ],
    by: ['times'],
    faults: [PAUSED],
    seconds: 15,
    electionMs: 60_000,
  },
  {
    name: 'acknowledged before it stands',
    edits: [
      [
        HALVES,
        'await Promise.all(ending.map(({ proposals, on }) => appender.append({ proposals, on, at })))',
        "ending.map(({ proposals, on }) => (void appender.append({ proposals, on, at }), { outcome: 'left_out' }))",
      ],
    ],
    by: ['endings', 'kept', 'fresh'],
    faults: [],
  },
]

/** `only`: part of a fault's name. */
export async function runPlanted({ only, say = () => {} } = {}) {
  // Those that need nothing to go wrong first: they take least
  const chosen = PLANTED.filter(({ name }) => only === undefined || name.includes(only)).sort((a, b) => a.faults.length - b.faults.length)
  const callers = { pids: () => [] }
  const set = await startReplicaSet({ electionMs: ELECTION_MS, callers: () => callers.pids() })
  const escaped = []
  try {
    for (const [i, planted] of chosen.entries()) {
      const found = await tryIt({ set, callers, planted, database: `planted-${i}`, say }).catch((error) => {
        say(`   ${planted.name} could not be tried: ${error.message.slice(0, 300)}`)
        return []
      })
      if (found.length === 0) escaped.push(planted.name)
      say(
        `${String(i + 1).padStart(2)}/${chosen.length} ${found.length === 0 ? 'ESCAPED' : 'caught '} ${planted.name}: ${found.length} times, ${found[0] ?? ''}`,
      )
    }
  } finally {
    await set.stop()
  }
  return { planted: chosen.length, escaped }
}

/** Tried up to five times: some faults show only if something was under way in the right moment. */
async function tryIt({ set, callers, planted, database, say }) {
  const copy = await plant(planted)
  try {
    await set.electionMs(planted.electionMs ?? ELECTION_MS)
    for (let attempt = 0; attempt < 5; attempt++) {
      const run = runOver({
        set,
        callers,
        database: `${database}-${attempt}`,
        dist: join(copy, 'dist'),
        seed: attempt + 1,
        seconds: planted.faults.length === 0 ? 12 : 6,
        instances: 2,
        workers: planted.faults.length === 0 ? 4 : 2,
        faultSeconds: planted.seconds,
        only: planted.faults,
        enders: planted.faults.length === 0 ? 0 : 3,
      })
      const { faults, figures, failed } = await run.catch((error) => ({ failed: error.message.slice(0, 300) }))
      if (failed !== undefined) {
        say(`   ${planted.name}, try ${attempt + 1}: could not be tried: ${failed}`)
        continue
      }
      const noticed = faults.filter((fault) => planted.by.includes(fault.split(':')[0]))
      if (noticed.length > 0) return noticed
      say(
        `   ${planted.name}, try ${attempt + 1}: nothing; ${figures.answered} answers, ${figures['turned away']} turned away, slowest ${figures.slowest}`,
      )
    }
    return []
  } finally {
    await rm(copy, { recursive: true })
  }
}

export async function plant({ name, edits }) {
  const copy = await mkdtemp(join(tmpdir(), 'credence-planted-'))
  await cp(join(root, 'dist'), join(copy, 'dist'), { recursive: true })
  await cp(join(root, 'package.json'), join(copy, 'package.json'))
  await symlink(join(root, 'node_modules'), join(copy, 'node_modules'))
  for (const [file, from, to] of edits) {
    const path = join(copy, 'dist', file)
    const source = await readFile(path, 'utf8')
    if (source.split(from).length !== 2) throw new Error(`${name}: ${file} no longer has that line once: ${from}`)
    await writeFile(
      path,
      source.replace(from, () => to),
    )
  }
  return copy
}
