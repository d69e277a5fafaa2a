// Plants one fault at a time in a copy of the built program, runs it on a real replica set, and checks that the judge detects it.
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { runOver } from '../mongodb.mjs'
import { startReplicaSet } from './replica-set.mjs'

const root = resolve(import.meta.dirname, '../../..')
const CONNECT = 'storage/mongo/session/connect.js'
const BARRIER_WRITE = 'storage/mongo/barrier-write.js'
const LOG_WRITER = 'trust-log/log-writer.js'
const NEW_TRUST_LOG = 'trust-log/new-trust-log.js'
const COMMIT = 'storage/mongo/session/commit.js'
const PLAN = 'storage/mongo/session/plan.js'
const APPLY = 'trust-log/apply.js'
const READ_BARRIER = 'trust-log/read-barrier.js'
const SERVER = 'http/server.js'
const HUB = 'revocations/hub.js'
const COLLECTIONS = 'storage/mongo/collections.js'
const CUT_OFF = 'the primary is cut off, with an instance'
const STEPPED_DOWN = 'the primary steps down'
const SUSPENDED = 'the primary is suspended'
const KILLED = 'kill -9 of an instance'
/** Longer than the 5 s after which an unanswered append is read back: until then a deposed primary does not know that it is deposed. */
const ELECTION_MS = 9000

/** `edits`: [file, original line, planted line]; `rules`: the rules that may detect it; `faults`, `seconds`: the faults of the replica set. */
export const PLANTED = [
  {
    name: 'w:1',
    // Typical defaults of a driver. Local reads as well, because majority reads would not find the new writes. Local reads alone show in no
    // result: every response follows the majority write of its read barrier, which a deposed primary cannot do
    edits: [
      [CONNECT, "DURABLE = { w: 'majority', journal: true }", 'DURABLE = { w: 1 }'],
      [CONNECT, "readConcern: { level: 'majority' }", "readConcern: { level: 'local' }"],
    ],
    rules: ['durability', 'log', 'log-reads', 'feed', 'freshness', 'revocations'],
    faults: [CUT_OFF],
    seconds: 9,
  },
  {
    name: 'check, then insert',
    edits: [
      [
        COLLECTIONS,
        'const failed = await callServer(',
        'const existing = new Set((await opened.docs.find({ _id: { $in: docs.map(({ _id }) => _id) } }).toArray()).map(({ _id }) => _id));\nconst failed = await callServer(',
      ],
      [
        COLLECTIONS,
        'docs.map((document) => ({ insertOne: { document } }))',
        'docs.filter(({ _id }) => !existing.has(_id)).map(({ _id, ...replacement }) => ({ replaceOne: { filter: { _id: { $eq: _id } }, replacement, upsert: true } }))',
      ],
      [COLLECTIONS, '.then(() => new Set(),', '.then(() => new Set(docs.flatMap(({ _id }, i) => existing.has(_id) ? [i] : [])),'],
    ],
    rules: ['single-use'],
    faults: [],
  },
  {
    name: 'a head that was read before the request',
    edits: [
      [
        READ_BARRIER,
        'waiting++;',
        'if (cachedHead && age(cachedHead) < 200)\n            return Promise.resolve(cachedHead);\n        waiting++;',
      ],
      [READ_BARRIER, 'const run = readLog(deps)', 'const run = readLog(deps).then((timed) => (cachedHead = timed))'],
      [READ_BARRIER, 'let next;', 'let next, cachedHead;'],
    ],
    rules: ['revocations', 'freshness'],
    faults: [],
  },
  {
    name: 'the head of a deposed primary',
    edits: [[BARRIER_WRITE, 'writeConcern: { w: DURABLE.w, j: DURABLE.journal }', 'writeConcern: { w: 1 }']],
    // Introspection detects nothing: it needs a write to the replay cache, which a deposed primary cannot do. A `sync` message needs only the head
    rules: ['freshness'],
    faults: [CUT_OFF],
    seconds: 7,
  },
  {
    name: 'an unacknowledged block is applied',
    edits: [[LOG_WRITER, '            return { error };', '            results = groups.map(() => ({ ok: true }));']],
    rules: ['durability', 'log-reads', 'feed'],
    faults: [CUT_OFF],
    seconds: 9,
  },
  {
    name: 'a block that is not part of the transaction',
    // Waits, so that a step-down often comes between the block and the commit
    edits: [
      [
        COMMIT,
        'await blocks.insertOne(storedBlock(block), { session })',
        'await blocks.insertOne(storedBlock(block)).then(() => systemClock.after(200))',
      ],
    ],
    rules: ['durability', 'log', 'revocations', 'freshness'],
    faults: [STEPPED_DOWN],
    seconds: 1,
  },
  {
    name: 'a guard that does not match is ignored',
    edits: [[PLAN, '|| !matchesGuard(operation.guard, doc))', ')']],
    rules: ['single-use'],
    faults: [],
  },
  {
    name: 'a commit whose outcome is unknown is taken as done',
    // The driver waits twice for 3 s before it says that the outcome is unknown, so an append may take longer than that
    edits: [
      [COMMIT, 'const ms = RESEND_MS[sent];', 'const ms = RESEND_MS[sent];\n            if (isUnknown)\n                return;'],
      [NEW_TRUST_LOG, 'appendTimeoutMs: 5000', 'appendTimeoutMs: 9000'],
    ],
    rules: ['durability', 'log', 'log-reads', 'feed', 'revocations', 'freshness'],
    faults: [CUT_OFF],
    seconds: 9,
  },
  {
    name: 'an instance that starts does not read what has ended',
    edits: [[APPLY, 'ended: blocks.flatMap(endingsOf) })', 'ended: [] })']],
    rules: ['revocations', 'durability'],
    faults: [KILLED],
    seconds: 6,
  },
  {
    name: 'the first entry of a batch is not sent to subscribers',
    edits: [[HUB, 'entries.flatMap(({ ends }) => ends)', 'entries.slice(1).flatMap(({ ends }) => ends)']],
    rules: ['feed'],
    faults: [],
  },
  {
    name: 'no time-outs',
    // Removes the time-outs of both the driver and the HTTP server, because each of them would hide the other
    edits: [
      [CONNECT, '...TIMEOUTS,', ''],
      [SERVER, 'RESPONSE_TIMEOUT_MS = 10_000', 'RESPONSE_TIMEOUT_MS = 600_000'],
    ],
    rules: ['latency'],
    faults: [SUSPENDED],
    seconds: 15,
    electionMs: 60_000,
  },
  {
    name: 'acknowledged before the append',
    edits: [
      [
        LOG_WRITER,
        "results = await withTimeout(clock, timeoutMs, 'a commit', appending);",
        // Blocks that end nothing are appended as usual: otherwise two instances that start together break the log, and one of them does not start
        `const isEnding = groups.some(({ group }) => group.proposals.some(({ ends }) => ends.length > 0));
            if (isEnding) {
                appending.catch(() => undefined);
                results = groups.map(() => ({ ok: true }));
                blockOf(groups.map((_, i) => i));
            } else
                results = await withTimeout(clock, timeoutMs, 'a commit', appending);`,
      ],
      // The block that is acknowledged is the one that is appended
      [LOG_WRITER, 'block = this.#newBlock(', 'block ??= this.#newBlock('],
    ],
    rules: ['revocations', 'durability', 'freshness'],
    faults: [],
  },
]

/** `only`: part of a name. */
export async function runPlanted({ only, say = () => {} } = {}) {
  // Those without faults of the replica set first, because they take least time
  const chosen = PLANTED.filter(({ name }) => only === undefined || name.includes(only)).sort((a, b) => a.faults.length - b.faults.length)
  const callers = { pids: () => [] }
  const set = await startReplicaSet({ electionMs: ELECTION_MS, callers: () => callers.pids() })
  const escaped = []
  try {
    for (const [i, planted] of chosen.entries()) {
      const found = await detect({ set, callers, planted, database: `planted-${i}`, say }).catch((error) => {
        say(`   ${planted.name} could not run: ${error.message.slice(0, 300)}`)
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

/** Runs up to five times: some faults have an effect only if a request is under way at the right moment. */
async function detect({ set, callers, planted, database, say }) {
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
        revokers: planted.faults.length === 0 ? 0 : 3,
      })
      const { faults, figures, failed } = await run.catch((error) => ({ failed: error.message.slice(0, 300) }))
      if (failed !== undefined) {
        say(`   ${planted.name}, attempt ${attempt + 1}: could not run: ${failed}`)
        continue
      }
      const detected = faults.filter((fault) => planted.rules.includes(fault.split(':')[0]))
      if (detected.length > 0) return detected
      say(
        `   ${planted.name}, attempt ${attempt + 1}: not detected; ${figures.answered} responses, ${figures.unavailable} times 503, slowest ${figures.slowest}`,
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
    if (source.split(from).length !== 2) throw new Error(`${name}: ${file} does not contain this line exactly once: ${from}`)
    await writeFile(
      path,
      source.replace(from, () => to),
    )
  }
  return copy
}
