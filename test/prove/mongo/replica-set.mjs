// Starts the members of a replica set as processes, each behind a proxy whose port is the member's address in the set.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MongoClient } from 'mongodb'
import { mongodProgram } from '../../storage/find-mongod.mjs'
import { freePort, pause } from '../tools.mjs'
import { newNetwork } from './partition.mjs'

const SET = 'rs0'
/** Short, so that requests to a suspended member fail soon. */
const TIMEOUTS = {
  serverSelectionTimeoutMS: 5000,
  socketTimeoutMS: 6000,
  connectTimeoutMS: 2000,
  heartbeatFrequencyMS: 500,
  minHeartbeatFrequencyMS: 100,
}

/** `electionMs`: the time without a primary after which an election starts. `callers()`: processes besides the members that may be cut off. */
export async function startReplicaSet({ members: count = 3, electionMs = 2000, callers = () => [] } = {}) {
  const program = await mongodProgram()
  const folder = await mkdtemp(join(tmpdir(), 'credence-mongod-'))
  const members = []
  const network = newNetwork(() => [...pidsOf(members), ...callers()])
  for (let i = 0; i < count; i++) members.push(await newMember({ program, folder: join(folder, `${i}`), network }))
  await Promise.all(members.map((member) => member.start()))
  const hosts = members.map(({ host }) => host)
  await initiate(members, electionMs)
  const url = (database) => `mongodb://${hosts.join(',')}/${database}?replicaSet=${SET}`
  const client = await connected(url('admin'))
  const set = {
    url,
    members,
    network,
    client,
    /** Waits for a primary and returns that member. */
    async primary() {
      for (const until = performance.now() + 60_000; performance.now() < until; await pause(100)) {
        const host = await client
          .db('admin')
          .command({ hello: 1 })
          .then(
            ({ primary }) => primary,
            () => undefined,
          )
        const member = members.find((one) => one.host === host)
        if (member) return member
      }
      throw new Error('no primary within a minute')
    },
    /** Changes the election time-out. */
    async electionMs(electionTimeoutMillis) {
      const { config } = await client.db('admin').command({ replSetGetConfig: 1 })
      const settings = { ...config.settings, electionTimeoutMillis }
      await client.db('admin').command({ replSetReconfig: { ...config, version: config.version + 1, settings } })
    },
    /** Resolves when a majority acknowledges writes. */
    async writable() {
      for (const until = performance.now() + 120_000; performance.now() < until; await pause(100)) {
        const done = await client
          .db('prove')
          .collection('writable')
          .insertOne({}, { writeConcern: { w: 'majority', j: true, wtimeoutMS: 5000 } })
          .then(
            () => true,
            () => false,
          )
        if (done) return
      }
      throw new Error('no majority within two minutes')
    },
    async stop() {
      await client.close()
      for (const member of members) member.close()
      await Promise.all(members.map((member) => member.kill()))
      await rm(folder, { recursive: true, force: true })
    },
  }
  try {
    await set.writable()
  } catch (error) {
    await set.stop()
    throw error
  }
  return set
}

/** Killed at exit: a server that is left behind occupies 400 MB. */
const children = new Set()
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL')
})

const pidsOf = (members) => members.map((member) => member.pid()).filter((pid) => pid !== undefined)

const STARTS = 5

/** Starts a server and resolves when it listens. Rejects with its output if it exits. */
export async function startServer({ program, folder, port, more = [] }) {
  const args = ['--dbpath', folder, '--port', String(port), '--bind_ip', '127.0.0.1', ...more]
  const child = spawn(program, [...args, '--oplogSize', '128', '--wiredTigerCacheSizeGB', '0.25', '--quiet'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.add(child)
  child.once('exit', () => children.delete(child))
  let output = ''
  await new Promise((done, fail) => {
    child.once('error', fail)
    // Not "exit", which may come before the last output is read
    child.once('close', (code) => fail(new Error(`mongod ended with ${code}: ${output.slice(-2000)}`)))
    child.stdout.on('data', (chunk) => {
      output = (output + chunk).slice(-20_000)
      if (output.includes('Waiting for connections')) done()
    })
  })
  child.stdout.removeAllListeners('data').resume()
  return child
}

async function newMember({ program, folder, network }) {
  const port = await freePort()
  let child
  const proxy = await network.proxy({ port: () => port, pid: () => child?.pid })
  return {
    host: `127.0.0.1:${proxy.port}`,
    direct: `mongodb://127.0.0.1:${port}/?directConnection=true`,
    pid: () => child?.pid,
    /** Retries a start that fails: a killed server may still lock its files for a moment. */
    async start() {
      if (child !== undefined) return
      await mkdir(folder, { recursive: true })
      for (let tries = 1; child === undefined; tries++)
        child = await startServer({ program, folder, port, more: ['--replSet', SET] }).catch((error) => {
          if (tries === STARTS) throw error
          console.error(error.message)
        })
    },
    signal: (name) => child?.kill(name),
    /** The position of its oplog. A member that is behind another one is not elected. */
    async applied() {
      const client = await MongoClient.connect(this.direct)
      const { optimes } = await client.db('admin').command({ replSetGetStatus: 1 })
      await client.close()
      return optimes.appliedOpTime.ts.toBigInt()
    },
    /** Asks to become the primary. If the other members refuse, a normal election follows. */
    async takeOver() {
      const client = await MongoClient.connect(this.direct)
      await client
        .db('admin')
        .command({ replSetStepUp: 1, skipDryRun: true })
        .catch(() => undefined)
      await client.close()
    },
    /** kill -9. */
    async kill() {
      if (child === undefined) return
      const ending = child
      child = undefined
      if (ending.exitCode !== null || ending.signalCode !== null) return
      const exited = once(ending, 'exit')
      ending.kill('SIGCONT')
      ending.kill('SIGKILL')
      await exited
    },
    close: () => proxy.close(),
  }
}

/** Connects with retries: at first the set has no primary, and a client that failed to connect cannot be used again. */
async function connected(url) {
  for (const until = performance.now() + 120_000; ; ) {
    const client = new MongoClient(url, TIMEOUTS)
    try {
      return await client.connect()
    } catch (error) {
      await client.close()
      if (performance.now() > until) throw error
    }
  }
}

async function initiate(members, electionMs) {
  const client = await MongoClient.connect(members[0].direct)
  const config = {
    _id: SET,
    members: members.map(({ host }, _id) => ({ _id, host })),
    settings: { electionTimeoutMillis: electionMs, heartbeatIntervalMillis: 500, heartbeatTimeoutSecs: 2, catchUpTimeoutMillis: 500 },
  }
  await client.db('admin').command({ replSetInitiate: config })
  await client.close()
}
