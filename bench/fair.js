// 50 well-behaved agents beside a caller that floods, compared with the same agents alone, in interleaved rounds of this run.
//
// The flooder is first an anonymous host: 1,000 connections from one address with forged assertions. Then it is one authenticated agent with
// 250 addresses. It sends at most three times the requests that the server can answer. The server has a core of its own. The agents and the
// flooder share the other core, and the flooder has the lowest priority there: so a longer time of an agent is time in the server. Two
// instances have both cores, and share them with all others.
//
// Measured per kind of request: the median and the p99 of a round, and their ratio to those of the previous round, which was without a flood.
// The median of the rounds counts. A public read does no work in the server, so its time is the wait for the
// accept queue, the event loop and a slot: the queue wait.
import { findMongod } from '../test/storage/find-mongod.mjs'
import { newCast } from './lib/cast.js'
import { pinned, startChild } from './lib/child.js'
import { startMongod } from './lib/mongod.js'
import { median, percentile } from './lib/report.js'

const FLOODS = {
  anonymous: { isForged: true, connections: 1000, addresses: 1 },
  'one agent': { isForged: false, connections: 250, addresses: 250 },
}
const KINDS = ['token', 'public', 'tRPC']
/** Of each kind, an agent sends one request in this time. */
const INTERVAL_MS = 500

export async function run(report) {
  await compare(report, '1 instance', ['SQLite'])
  if (report.isQuick || !findMongod())
    return report.say(
      `*** SKIPPED: two instances. ${report.isQuick ? 'The quick run has one' : 'No mongod was found (docs/STORAGE.md)'}. ***`,
    )
  const mongod = await startMongod()
  try {
    const store = mongod.url('credence-fair')
    await compare(report, '2 instances', [store, store])
  } finally {
    await mongod.stop()
  }
}

async function compare(report, name, stores) {
  const [agentCount, rounds, count] = report.isQuick ? [4, 1, 1] : [50, 9, 4]
  report.say(`fair, ${name}: ${rounds} rounds, ${agentCount} agents, server on ${pinned}`)
  const servers = []
  for (const [core, store] of stores.entries()) {
    const shared = store !== 'SQLite' && { store, issuer: servers[0]?.facts.issuer }
    servers.push(await startChild('stores.js', { ...shared, limits: 'on' }, { core }))
  }
  const { issuer } = servers[0].facts
  const ports = servers.map(({ facts }) => facts.port)
  const agents = await startChild('agents.js', { issuer, ports }, { core: 1 })
  const flooder = await startChild('flooder.js', { issuer, ports }, { core: 1 })
  try {
    await join(servers.at(-1).facts.firstCode, issuer, { agents, flooder, agentCount })
    const perSecond = (report.isQuick ? 1 : 3) * (await flooder.ask('capacity', report.isQuick ? 20 : 80))
    report.figure(`${name}: flood, at most`, perSecond, '/s')
    const seconds = (count * INTERVAL_MS) / 1000
    const round = async (flood) => {
      await agents.ask('prepare', count)
      if (flood) await flooder.ask('prepare', { count: Math.ceil(perSecond * (seconds + 1)), isForged: flood.isForged })
      const flooding = flood && flooder.ask('run', { seconds: seconds + 1, perSecond, ...flood })
      if (flood) await new Promise((resolve) => setTimeout(resolve, 500))
      const { times, statuses } = await agents.ask('run', INTERVAL_MS)
      return { times, statuses, flood: await flooding }
    }
    await round()
    for (const [floodName, flood] of Object.entries(FLOODS)) {
      const pairs = []
      for (let i = 0; i < rounds; i++) pairs.push({ alone: await round(), beside: await round(flood) })
      show(report, `${name}, ${floodName}`, pairs)
    }
  } finally {
    for (const child of [flooder, agents, ...servers]) await child.stop()
  }
}

/** Registers all agents. The administrator is limited to 5 creations a second, so its client repeats what was refused. */
async function join(firstCode, issuer, { agents, flooder, agentCount }) {
  const { admin } = await newCast({ issuer, firstCode })
  const register = (name) => admin.mutate('agents.register', { name, ceiling: {} })
  const registrations = []
  for (let i = 0; i < agentCount; i++) registrations.push(await register(`agent ${i}`))
  await agents.ask('join', registrations)
  await flooder.ask('join', await register('flooder'))
}

function show(report, name, pairs) {
  const medianOf = (value) => median(pairs.map(value))
  for (const kind of KINDS) {
    for (const [measure, p] of [
      ['p50', 0.5],
      ['p99', 0.99],
    ]) {
      const [alone, beside] = ['alone', 'beside'].map((which) => (pair) => percentile(pair[which].times[kind], p))
      report.figure(`${name}: ${kind} alone ${measure}`, medianOf(alone), 'ms')
      report.figure(`${name}: ${kind} ${measure}`, medianOf(beside), 'ms')
      report.goal(
        `${name}: ${kind} ${measure} / alone`,
        medianOf((pair) => beside(pair) / alone(pair)),
        { atMost: 5 },
      )
    }
  }
  const statuses = sumOf(pairs.flatMap(({ alone, beside }) => [alone.statuses, beside.statuses]))
  report.say(
    `responses to the agents: ${JSON.stringify(statuses)}; to the flooder: ${JSON.stringify(sumOf(pairs.map(({ beside }) => beside.flood)))}`,
  )
  const { 200: succeeded, ...others } = statuses
  report.goal(
    `${name}: agents without a 200`,
    Object.values(others).reduce((sum, count) => sum + count, 0),
    { atMost: 0 },
  )
}

function sumOf(records) {
  const sums = {}
  for (const [name, count] of records.flatMap(Object.entries)) sums[name] = (sums[name] ?? 0) + count
  return sums
}
