// MongoDB: commands per request, latency, and agreement of two instances, compared with the bare driver and SQLite in this run.
import { createAgent } from 'credence/client'
import { MongoClient } from 'mongodb'
import WebSocket from 'ws'
import { nonceOf, requests } from './exchange.js'
import { aPair, newCast } from './lib/cast.js'
import { startChild } from './lib/child.js'
import { closedLoop, send } from './lib/load.js'
import { monitored, startMongod } from './lib/mongod.js'
import { median, percentile } from './lib/report.js'

const MAJORITY = { writeConcern: { w: 'majority', journal: true }, readConcern: { level: 'majority' }, readPreference: 'primary' }
const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token'
const sum = (counts) => Object.values(counts).reduce((total, count) => total + count, 0)
const asText = (counts, requestCount) =>
  Object.entries(counts)
    .map(([name, count]) => `${name} ${(count / requestCount).toFixed(2)}`)
    .join(', ')
const timed = async (work) => {
  const startedAt = performance.now()
  await work()
  return performance.now() - startedAt
}

/** Number of requests that were refused with 503 because more than 250 ms passed after the read barrier. This happens on a busy machine. */
let refusedCount = 0

/** Runs every job, at most 32 at a time. */
function sendAll(url, jobs) {
  return closedLoop(jobs, 32, async (job) => {
    const { status, text } = await send(url, job)
    if (status === 503) refusedCount++
    else if (status !== 200) throw new Error(`${status} ${text}`)
  })
}

/** BENCH_PARTS=commands,latency runs only these parts. */
const chosen = process.env.BENCH_PARTS?.split(',')
const PARTS = { commands, latency, rates, agreement, pushed, search, growth }

export async function run(report) {
  const mongod = await startMongod()
  const url = mongod.url('credence-bench')
  const bare = await MongoClient.connect(url, MAJORITY)
  const a = await startChild('stores.js', { store: monitored(url) })
  const b = await startChild('stores.js', { store: monitored(url), issuer: a.facts.issuer }, { core: 1 })
  const sqlite = await startChild('stores.js', {})
  try {
    // Each start makes a new first code, so only that of the last instance is valid
    const actors = await newActors({ ...a.facts, firstCode: b.facts.firstCode })
    const sqliteActors = await newActors(sqlite.facts)
    for (const [name, part] of Object.entries(PARTS))
      if (chosen === undefined || chosen.includes(name)) await part(report, { actors, sqliteActors, a, b, sqlite, bare })
    report.figure('refused (503)', refusedCount)
  } finally {
    for (const child of [a, b, sqlite]) await child.stop()
    await bare.close()
    await mongod.stop()
  }
}

async function newActors(facts) {
  const { issuer } = facts
  const pair = await aPair(await newCast(facts), issuer)
  const client = ({ signer, agentId }) => ({ signer, clientId: agentId, issuer })
  return { issuer, ...pair, asPlanner: client(pair.planner), asOcr: client(pair.ocr) }
}

/** Signed exchange requests. */
async function exchanges({ issuer, ocr, planner, asPlanner }, count) {
  const url = `${issuer}/oauth/token`
  const nonce = await retried(() => nonceOf(url, { ...asPlanner, form: { grant_type: 'client_credentials' } }))
  const { accessToken } = await retried(() => planner.token())
  const form = { grant_type: TOKEN_EXCHANGE, subject_token: accessToken, subject_token_type: ACCESS_TOKEN, audience: ocr.audience }
  return { url, jobs: await requests(count, { ...asPlanner, form, url, nonce }) }
}

async function introspections({ issuer, ocr, planner, asOcr }, count) {
  const url = `${issuer}/oauth/introspect`
  const { accessToken } = await retried(() => planner.exchange({ audience: ocr.audience }))
  return { url, jobs: await requests(count, { ...asOcr, form: { token: accessToken }, url }) }
}

/** Commands per request with 32 callers and warm caches. A command that several requests share is divided among them. */
async function commands(report, { actors, a }) {
  const count = report.isQuick ? 320 : 3200
  const countsOf = async (work) => {
    await a.ask('commands')
    await work()
    return a.ask('commands')
  }
  const measure = async (make, name, goal) => {
    const warm = await make(actors, Math.min(count, 320))
    await sendAll(warm.url, warm.jobs)
    const { url, jobs } = await make(actors, count)
    const counts = await countsOf(() => sendAll(url, jobs))
    report.say(`${name}: ${asText(counts, count)}`)
    report.goal(`commands, ${name}`, sum(counts) / count, goal)
  }
  await measure(exchanges, 'exchange', { atMost: 3 })
  await measure(introspections, 'introspection', { atMost: 0.2 })
  const searches = Array.from({ length: count }, () => ({ method: 'GET' }))
  const url = `${actors.issuer}/trpc/discovery.search?input=${encodeURIComponent('{"text":"scanned documents"}')}`
  await sendAll(url, searches.slice(0, 320))
  const counts = await countsOf(() => sendAll(url, searches))
  report.say(`search: ${asText(counts, count)}`)
  const perRequest = (pattern) => sum(Object.fromEntries(Object.entries(counts).filter(([name]) => pattern.test(name)))) / count
  report.figure('commands, search, its share of barriers', perRequest(/ log-blocks$/))
  // The commands of background work are left out: audit links, abandoned transactions
  const withoutShared = sum(counts) / count - perRequest(/ log-blocks$| audit-|^[^ ]+$/)
  report.goal('commands, search, without the shared read barrier', withoutShared, { atMost: 1 })
}

/** Latency of an exchange with one caller, compared with an insert of the bare driver, interleaved. */
async function latency(report, { actors, bare }) {
  const count = report.isQuick ? 30 : 400
  const { url, jobs } = await exchanges(actors, count)
  const inserts = bare.db().collection('bare')
  const [exchange, insert] = [[], []]
  for (const job of jobs) {
    exchange.push(await timed(() => sendAll(url, [job])))
    insert.push(await timed(() => inserts.insertOne({ i: insert.length })))
  }
  report.figure('one majority insert, p50', median(insert), 'ms')
  report.figure('exchange at low load, p50', median(exchange), 'ms')
  report.goal('exchange / one majority insert, p50', median(exchange) / median(insert), { atMost: 3.5 })
}

/** Requests per second of 32 callers, and the CPU of the server. */
async function rates(report, { actors, sqliteActors, a, sqlite }) {
  const [rounds, count] = report.isQuick ? [2, 64] : [5, 1500]
  const results = { mongodb: [], sqlite: [], cpu: [], sqliteCpu: [] }
  for (let round = -1; round < rounds; round++) {
    for (const [name, cpu, child, callers] of [
      ['mongodb', 'cpu', a, actors],
      ['sqlite', 'sqliteCpu', sqlite, sqliteActors],
    ]) {
      const { url, jobs } = await exchanges(callers, count)
      const before = await child.ask('cpu')
      const { ms } = await sendAll(url, jobs)
      if (round < 0) continue
      results[name].push((count / ms) * 1000)
      results[cpu].push(((await child.ask('cpu')) - before) / count)
    }
  }
  report.figure('exchange over MongoDB, 32 callers', median(results.mongodb), '/s')
  report.figure('exchange over SQLite, 32 callers', median(results.sqlite), '/s')
  report.figure('exchange MongoDB / SQLite', median(results.mongodb) / median(results.sqlite))
  report.figure('exchange over MongoDB, CPU of the registry', median(results.cpu), 'µs')
  report.figure('exchange over SQLite, CPU of the registry', median(results.sqliteCpu), 'µs')
}

/** Repeats a request that was refused with 503, at most 20 times. */
async function retried(work) {
  for (let tries = 0; ; tries++) {
    try {
      return await work()
    } catch (error) {
      if (error.status !== 503 || tries === 20) throw error
      refusedCount++
    }
  }
}

/** Revokes on A and introspects on B once A has acknowledged. Also measures the read barrier of B, compared with one insert. */
async function agreement(report, { actors, a, b, bare }) {
  const trials = report.isQuick ? 50 : Number(process.env.BENCH_TRIALS ?? 10_000)
  const { issuer, planner, ocr } = actors
  const via = (port) => (input, init) => fetch(String(input).replace(issuer, `http://127.0.0.1:${port}`), init)
  const agent = ({ agentId, signer }, port) => createAgent({ issuer, clientId: agentId, signer, fetch: via(port) })
  const [plannerAtA, ocrAtB] = [agent(planner, a.facts.port), agent(ocr, b.facts.port)]
  await retried(() => plannerAtA.token())
  let [violations, wasActive] = [0, 0]
  await closedLoop(Array.from({ length: trials }), 8, async () => {
    const { accessToken } = await retried(() => plannerAtA.exchange({ audience: ocr.audience }))
    if (wasActive < 20 && (await retried(() => ocrAtB.introspect(accessToken))).active) wasActive++
    await retried(() => plannerAtA.revoke(accessToken))
    if ((await retried(() => ocrAtB.introspect(accessToken))).active !== false) violations++
  })
  report.figure('tokens that were active on B before the revocation', wasActive)
  report.goal(`revoked on A, still active on B, of ${trials}`, violations, { atMost: 0 })
  const inserts = bare.db().collection('bare')
  const [barriers, floor] = [[], []]
  for (let round = 0; round < (report.isQuick ? 3 : 40); round++) {
    barriers.push(...(await b.ask('barriers', 25)))
    for (let i = 0; i < 25; i++) floor.push(await timed(() => inserts.insertOne({ i })))
  }
  report.figure('one majority insert, p50', median(floor), 'ms')
  report.figure('one majority insert, p99', percentile(floor, 0.99), 'ms')
  report.figure('read barrier on B, p50', median(barriers), 'ms')
  report.figure('read barrier on B, p99', percentile(barriers, 0.99), 'ms')
  report.figure('read barrier on B, p99 / one majority insert, p50', percentile(barriers, 0.99) / median(floor))
  report.goal('read barrier on B / one majority insert, p99', percentile(barriers, 0.99) / percentile(floor, 0.99), { atMost: 3 })
}

/** Time from the acknowledgement on A to the subscriber of B, compared with one event of a bare change stream after its insert was sent. */
async function pushed(report, { actors, a, b, bare }) {
  const count = report.isQuick ? 20 : 500
  const { ticket } = await retried(() => actors.ocr.mutate('system.ticket'))
  const ws = new WebSocket(`ws://127.0.0.1:${b.facts.port}/revocations`, ['a2a-revocation.v1+json', `ticket.${ticket}`])
  let arrived = () => {}
  await new Promise((done, fail) => {
    ws.on('error', fail)
    ws.on('message', (data) => {
      const { type } = JSON.parse(String(data))
      if (type === 'hello') ws.send(JSON.stringify({ type: 'subscribe' }))
      else if (type === 'snapshot') done()
      else if (type === 'events') arrived(performance.now())
    })
  })
  const [pushes, events] = [[], []]
  const collection = bare.db().collection('events')
  await collection.insertOne({ first: true })
  const stream = collection.watch()
  let seen = () => {}
  stream.on('change', () => seen(performance.now()))
  await new Promise((done) => stream.once('resumeTokenChanged', done))
  for (let i = 0; i < count; i++) {
    const arrival = new Promise((done) => {
      arrived = done
    })
    await a.ask('end')
    const acknowledged = performance.now()
    pushes.push(Math.max(0, (await arrival) - acknowledged))
    const event = new Promise((done) => {
      seen = done
    })
    const sent = performance.now()
    await collection.insertOne({ i })
    events.push((await event) - sent)
  }
  await stream.close()
  ws.terminate()
  report.figure('one change stream event, p50', median(events), 'ms')
  report.figure('push on B after the acknowledgement on A, p50', median(pushes), 'ms')
  report.figure('push on B after the acknowledgement on A, p99', percentile(pushes, 0.99), 'ms')
  report.goal('push on B, p99 / one change stream event, p50', percentile(pushes, 0.99) / median(events), { atMost: 5 })
}

/** A word and a tag among many cards over HTTP, compared with the bare indexed query. */
async function search(report, { actors, a, bare }) {
  const [cards, count] = report.isQuick ? [300, 20] : [Number(process.env.BENCH_CARDS ?? 100_000), 400]
  report.figure('cards', cards)
  report.figure('seeding', (await timed(() => a.ask('cards', { agentId: actors.ocr.agentId, count: cards }))) / 1000, 's')
  const rows = bare.db().collection('card-rows')
  const [latencies, floor] = [[], []]
  for (let i = 0; i < count; i++) {
    const word = `word${(i * 7) % 211}`
    const tag = `tag${i % 97}`
    const input = encodeURIComponent(JSON.stringify({ text: word, tags: [tag] }))
    floor.push(
      await timed(() =>
        rows
          .find({ $and: [{ lists: { $in: [3, 2, 1, 0].map((level) => `${word}\t${level}`) } }, { lists: `tag=${tag}` }] })
          .project({ card: 1 })
          .limit(20)
          .toArray(),
      ),
    )
    latencies.push(await timed(() => sendAll(`${actors.issuer}/trpc/discovery.search?input=${input}`, [{ method: 'GET' }])))
  }
  report.figure('bare indexed query, p99', percentile(floor, 0.99), 'ms')
  report.figure('search over HTTP, p50', median(latencies), 'ms')
  report.figure('search over HTTP, p99', percentile(latencies, 0.99), 'ms')
  report.goal('search / bare indexed query, p99', percentile(latencies, 0.99) / percentile(floor, 0.99), { atMost: 4 })
}

/** Time of one exchange, one introspection and one revocation with few and with many records. */
async function growth(report, { actors, a }) {
  const [sizes, count] = report.isQuick
    ? [[100, 1000], 20]
    : [(process.env.BENCH_SIZES ?? '10000,100000,1000000').split(',').map(Number), 200]
  const { accessToken } = await retried(() => actors.planner.exchange({ audience: actors.ocr.audience }))
  const tokenId = JSON.parse(Buffer.from(accessToken.split('.')[1], 'base64url')).jti
  const medians = new Map()
  let seeded = 0
  for (const size of sizes) {
    await a.ask('grow', { tokenId, count: size - seeded })
    seeded = size
    for (const [name, make] of Object.entries({ exchange: exchanges, introspection: introspections })) {
      const { url, jobs } = await make(actors, count)
      const times = []
      for (const job of jobs) times.push(await timed(() => sendAll(url, [job])))
      medians.set(`${name} ${size}`, median(times))
    }
    const appends = []
    for (let i = 0; i < count; i++) appends.push(await timed(() => a.ask('end')))
    medians.set(`append ${size}`, median(appends))
    for (const name of ['exchange', 'introspection', 'append'])
      report.figure(`${name} at ${size.toExponential()}, p50`, medians.get(`${name} ${size}`), 'ms')
  }
  const [least, most] = [sizes[0], sizes.at(-1)]
  for (const name of ['exchange', 'introspection', 'append'])
    report.goal(
      `${name}: ${most.toExponential()} / ${least.toExponential()}`,
      medians.get(`${name} ${most}`) / medians.get(`${name} ${least}`),
      { atMost: 1.25 },
    )
}
