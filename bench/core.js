// One commit and one read barrier, compared with the previous build: latency of create, change and end over SQLite and MongoDB, entries a second of
// several instances and their shares, durable writes in sequence, and reads of the log's head. Latency is that of the procedure called in the server's
// process: HTTP and authentication cost the same in both builds.
//
// The previous build is the commit BEFORE of this repository. Without it (an export without history) only the new build is measured.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { proveDpop } from 'credence/client'
import { systemClock } from '../dist/lib/clock.js'
import { systemRandom } from '../dist/lib/random.js'
import { aCard, aPair, newCast } from './lib/cast.js'
import { startChild } from './lib/child.js'
import { send } from './lib/load.js'
import { startMongod } from './lib/mongod.js'
import { median, percentile } from './lib/report.js'

const ROOT = resolve(import.meta.dirname, '..')
/** The last commit that wrote a record and its log entry separately. */
const BEFORE = '06c785a653318a74921ba1c317ebbf0c6029a3e4'
const WORKS = ['create', 'change', 'end']
const CALLERS = [1, 8]

export async function run(report) {
  const [rounds, count] = report.isQuick ? [2, 16] : [7, 200]
  const before = buildBefore(report)
  const builds = { new: join(ROOT, 'dist'), ...(before && { old: join(before, 'dist') }) }
  try {
    await overSqlite(report, builds, { rounds, count })
    if (!report.isQuick) {
      const mongod = await startMongod(3)
      try {
        await overMongo(report, builds, mongod, { rounds, count: 60 })
        for (const instances of [2, 4]) await shares(report, builds, mongod, { instances, rounds: 3, seconds: 5 })
      } finally {
        await mongod.stop()
      }
    }
  } finally {
    if (before) rmSync(before, { recursive: true, force: true })
  }
}

function buildBefore(report) {
  const folder = mkdtempSync(join(tmpdir(), 'credence-before-'))
  try {
    const archive = execFileSync('git', ['archive', BEFORE], { cwd: ROOT, maxBuffer: 2 ** 28, stdio: ['ignore', 'pipe', 'ignore'] })
    execFileSync('tar', ['-x', '-C', folder], { input: archive })
    symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
    execFileSync(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.build.json'], {
      cwd: folder,
      stdio: 'ignore',
    })
    return folder
  } catch (error) {
    report.say(`*** the previous build (${BEFORE.slice(0, 7)}) is NOT measured: ${String(error.message).slice(0, 200)}`)
    rmSync(folder, { recursive: true, force: true })
    return undefined
  }
}

/** A registry of a build, with the actors and the requests of each kind of work. */
async function open(dist, options = {}, core = 0) {
  const child = await startChild('core.js', { dist, ...options }, { core })
  const { issuer } = child.facts
  const cast = await newCast(child.facts)
  const { ocr, planner } = await aPair(cast, issuer)
  const agents = []
  for (let i = 0; i < 16; i++) agents.push(await cast.agent(`agent ${i}`))
  const signers = { planner, admin: cast.admin }
  const call = async (who, path, input) => {
    const url = `${issuer}/trpc/${path}`
    const { accessToken } = await signers[who].token()
    const proofDeps = { signer: signers[who].signer, clock: systemClock, random: systemRandom }
    const dpop = await proveDpop(proofDeps, { htm: 'POST', htu: url, accessToken })
    const headers = { authorization: `DPoP ${accessToken}`, dpop, 'content-type': 'application/json' }
    return { url, init: { headers, body: JSON.stringify(input) } }
  }
  const login = async (one) => {
    for (const who of ['planner', 'admin']) {
      const { url, init } = await call(who, 'system.info', {})
      await one.ask('login', { who, url, headers: init.headers })
    }
  }
  await login(child)
  const tasks = []
  const worksOf = {
    create: { who: 'planner', path: 'tasks.create', input: () => ({ description: 'bench' }) },
    change: {
      who: 'admin',
      path: 'agents.change',
      input: (i) => ({ agentId: agents[i % agents.length].agentId, ceiling: { tokenSeconds: 60 + (i % 100) } }),
    },
    end: { who: 'planner', path: 'tasks.end', input: () => ({ taskId: tasks.pop() }) },
  }
  return {
    child,
    issuer,
    ocr,
    planner,
    cast,
    call,
    login,
    async measure(work, callers, count) {
      const { who, path, input } = worksOf[work]
      const { each, results } = await child.ask('measure', {
        who,
        path,
        callers,
        inputs: Array.from({ length: count }, (_, i) => input(i)),
      })
      if (work === 'create') tasks.push(...results.map(({ taskId }) => taskId))
      return each
    },
  }
}

/** Medians over the rounds of p50 and p99 of each build and kind of work. The builds alternate, and in going first. */
async function compare(report, registries, { rounds, count, store }) {
  const found = {}
  for (let round = -1; round < rounds; round++)
    for (const callers of CALLERS)
      for (const work of WORKS) {
        const names = Object.keys(registries)
        for (const name of round % 2 === 0 ? names : names.toReversed()) {
          const each = await registries[name].measure(work, callers, count)
          if (round < 0) continue
          const key = `${work}, ${callers} callers`
          found[key] ??= {}
          found[key][name] ??= { p50: [], p99: [] }
          found[key][name].p50.push(percentile(each, 0.5))
          found[key][name].p99.push(percentile(each, 0.99))
        }
      }
  for (const [key, byName] of Object.entries(found)) {
    report.figure(`${store}: ${key}, p50`, median(byName.new.p50), 'ms')
    if (!byName.old) continue
    const ratio = (which) => median(byName.new[which].map((value, i) => value / byName.old[which][i]))
    report.goal(`${store}: ${key}, p50 new/old`, ratio('p50'), { atMost: store === 'SQLite' ? 0.6 : 0.5 })
    if (store === 'MongoDB') report.goal(`${store}: ${key}, p99 new/old`, ratio('p99'), { atMost: 1 })
  }
}

async function overSqlite(report, builds, { rounds, count }) {
  const registries = {}
  for (const [name, dist] of Object.entries(builds)) registries[name] = await open(dist)
  await compare(report, registries, { rounds, count, store: 'SQLite' })
  for (const [name, registry] of Object.entries(registries)) await counts(report, name, registry)
  for (const { child } of Object.values(registries)) await child.stop()
}

/** Durable writes in sequence, and reads of the log's head, of single requests. */
async function counts(report, name, { child, call, planner, ocr, cast, issuer }) {
  const countOf = async (work) => {
    // What runs in the background reads the head twice a second, so the least of several tries counts
    const tries = []
    for (let i = 0; i < 5; i++) {
      await child.ask('counts')
      await work(i)
      tries.push(await child.ask('counts'))
    }
    return { heads: Math.min(...tries.map(({ heads }) => heads)), sequence: Math.min(...tries.map(({ sequence }) => sequence)) }
  }
  const post = async (request) => {
    const { url, init } = await request
    const { status, text } = await send(url, init)
    if (status !== 200) throw new Error(`${url}: ${status} ${text}`)
    return JSON.parse(text).result.data
  }
  const target = await cast.agent('asks', { introductionPolicy: { mode: 'ask' } })
  await target.publish({ card: { ...aCard(issuer), name: 'Asks' } })
  const asker = await cast.agent('asker', { ceiling: { rights: [{ audience: target.audience, scope: 'ocr:read' }] } })
  const pending = []
  for (let i = 0; i < 5; i++)
    pending.push((await asker.introductions.request({ to: target.agentId, purpose: `${i}`, scopes: ['ocr:read'] })).introductionId)
  const created = []
  const works = {
    publish: (i) => ocr.publish({ card: { ...aCard(issuer), description: `Reads, ${i}.` } }),
    approve: (i) => target.introductions.approve(pending[i]),
    'create a task': async () => created.push((await post(call('planner', 'tasks.create', { description: 'bench' }))).taskId),
    'end a task': async () => post(call('planner', 'tasks.end', { taskId: created.pop() })),
  }
  for (const [work, run] of Object.entries(works)) {
    const { sequence } = await countOf(run)
    if (name === 'new') report.goal(`durable writes in sequence: ${work}`, sequence, { atMost: 1 })
    else report.figure(`durable writes in sequence: ${work}, before`, sequence)
  }
  const reads = {
    'tasks.list': () => planner.query('tasks.list', {}),
    search: () => planner.search({ text: 'scanned' }),
    'tasks.create': () => post(call('planner', 'tasks.create', { description: 'bench' })),
  }
  for (const [work, run] of Object.entries(reads)) {
    const { heads } = await countOf(run)
    if (name === 'new') report.goal(`reads of the log's head: ${work}`, heads, { atMost: 1 })
    else report.figure(`reads of the log's head: ${work}, before`, heads)
  }
}

async function overMongo(report, builds, mongod, { rounds, count }) {
  const registries = {}
  for (const [name, dist] of Object.entries(builds)) registries[name] = await open(dist, { store: mongod.url(`core-${name}`) })
  await compare(report, registries, { rounds, count, store: 'MongoDB' })
  for (const { child } of Object.values(registries)) await child.stop()
}

/** Entries a second of all instances together, with 8 writers on each, and the smallest share of an instance. */
async function shares(report, builds, mongod, { instances, rounds, seconds }) {
  const found = {}
  for (let round = 0; round < rounds; round++)
    for (const [name, dist] of Object.entries(builds)) {
      const store = mongod.url(`shares-${instances}-${name}-${round}`)
      const first = await open(dist, { store })
      const others = []
      for (let i = 1; i < instances; i++) others.push(await startChild('core.js', { dist, store, issuer: first.issuer }, { core: i % 2 }))
      for (const other of others) await first.login(other)
      const children = [first.child, ...others]
      const flood = { who: 'planner', path: 'tasks.create', input: { description: 'bench' }, writers: 8, seconds }
      const written = await Promise.all(children.map((child) => child.ask('flood', flood)))
      const total = written.reduce((sum, n) => sum + n, 0)
      found[name] ??= { perSecond: [], share: [] }
      found[name].perSecond.push(total / seconds)
      found[name].share.push(Math.min(...written) / total)
      for (const child of children) await child.stop()
    }
  for (const [name, { perSecond, share }] of Object.entries(found)) {
    report.figure(`${instances} instances, ${name}: entries/s`, median(perSecond))
    report.figure(`${instances} instances, ${name}: smallest share`, median(share))
  }
  report.goal(`${instances} instances: smallest share`, median(found.new.share), { atLeast: instances === 2 ? 0.4 : 0.15 })
  if (found.old)
    report.goal(`${instances} instances: entries/s new/old`, median(found.new.perSecond) / median(found.old.perSecond), { atLeast: 3 })
}
