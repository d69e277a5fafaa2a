// How the official driver is set up, on purpose: what is acknowledged is on a majority and in its journals, and nothing waits for ever.
import { MongoClient, type MongoClientOptions, MongoError, MongoServerSelectionError } from 'mongodb'
import { refuse } from '../../../errors.js'
import type { Log } from '../../../lib/log.js'
import { refuseUrl, refuseWeaker } from '../url.js'

/** The driver's defaults let a write wait 33 s for a paused primary; these bound every operation, its retries included. Milliseconds. */
const TIMES = {
  /** A server that has the request and does not answer: paused, or cut off. */
  socketTimeoutMS: 3000,
  serverSelectionTimeoutMS: 3000,
  connectTimeoutMS: 2000,
  heartbeatFrequencyMS: 1000,
  minHeartbeatFrequencyMS: 100,
  waitQueueTimeoutMS: 3000,
  maxIdleTimeMS: 60_000,
} as const

/** What an administrator waits for may take long: an index over millions of documents is one command. */
const PATIENT_TIMES = {
  socketTimeoutMS: 3_600_000,
  serverSelectionTimeoutMS: 30_000,
  connectTimeoutMS: 30_000,
  waitQueueTimeoutMS: 60_000,
} as const

/** Who the server is told that we are. */
export const APP_NAME = 'credence'

/** What is acknowledged is on a majority and in its journals. */
export const DURABLE = { w: 'majority', journal: true } as const

const OPTIONS: MongoClientOptions = {
  ...TIMES,
  appName: APP_NAME,
  writeConcern: DURABLE,
  readConcern: { level: 'majority' },
  readPreference: 'primary',
  retryReads: true,
  retryWrites: true,
  // Callers share it: requests that wait for a connection are bounded by waitQueueTimeoutMS.
  maxPoolSize: 64,
  ignoreUndefined: true,
}

/** The first release that is supported. */
const FLOOR: Version = [7, 0, 0]
/** The first releases of each line without CVE-2025-14847 (memory of the server, read by anyone who can connect). */
const SOUND: readonly Version[] = [
  [7, 0, 28],
  [8, 0, 17],
  [8, 2, 3],
]

export interface ConnectOptions {
  readonly url: string
  /** Hears of releases with published vulnerabilities. */
  readonly warn: Log['warn']
  readonly isPatient?: boolean
}

/** A connected client; refuses (by throwing) what would not keep the promises. */
export async function connect({ url, warn, isPatient = false }: ConnectOptions): Promise<MongoClient> {
  refuseWeaker(url)
  const client = newClient(url, { ...OPTIONS, ...(isPatient && PATIENT_TIMES) })
  try {
    await client.connect()
    const admin = client.db('admin')
    const [hello, build] = await Promise.all([admin.command({ hello: 1 }), admin.command({ buildInfo: 1 })])
    const fault = faultOfServer(hello, build)
    if (fault !== undefined) refuse('unavailable', fault)
    const upgradeTo = soundReleaseFor(build)
    if (upgradeTo !== undefined) warn('this MongoDB release has published vulnerabilities', { version: String(build.version), upgradeTo })
    return client
  } catch (error) {
    await client.close()
    // What the driver says names hosts and the reason, no credentials
    if (error instanceof MongoError) return refuse('unavailable', isNoReplicaSet(error) ? NO_REPLICA_SET : unopened(error))
    throw error
  }
}

/** Nothing is asked yet, and the options are ours: what is found wrong, by whichever parser, is in the URL, and its message may show that. */
function newClient(url: string, options: MongoClientOptions): MongoClient {
  try {
    return new MongoClient(url, options)
  } catch {
    return refuseUrl()
  }
}

interface Build {
  readonly version?: unknown
}

/** Why a server that answers so cannot be used, or undefined. */
export function faultOfServer(hello: object, build: Build): string | undefined {
  const version = versionOf(build)
  if (isBelow(version, FLOOR)) return `MongoDB ${version.join('.')} is too old: ${FLOOR.join('.')} or newer is needed`
  const isReplicaSet = 'setName' in hello || ('msg' in hello && hello.msg === 'isdbgrid')
  return isReplicaSet ? undefined : NO_REPLICA_SET
}

const unopened = ({ message }: MongoError): string => `the storage cannot be opened: ${message}`

/** Where the URL names a set, the driver leaves out a server that is in none, and cannot choose one that was not initiated. */
const isNoReplicaSet = (error: MongoError): boolean => {
  const servers = error instanceof MongoServerSelectionError ? error.reason?.servers : undefined
  return servers !== undefined && (servers.size === 0 || [...servers.values()].some(({ type }) => type === 'RSGhost'))
}

const NO_REPLICA_SET =
  'this MongoDB server is not a replica set, which transactions and change streams need. Start it with --replSet rs0 and run once: mongosh --eval "rs.initiate()". If it is one, the URL names another set'

/** The release to upgrade to, where this one has published vulnerabilities. */
export function soundReleaseFor(build: Build): string | undefined {
  const version = versionOf(build)
  const line = SOUND.find(([major, minor]) => major === version[0] && minor === version[1])
  return line !== undefined && isBelow(version, line) ? line.join('.') : undefined
}

type Version = readonly [number, number, number]

function versionOf({ version }: Build): Version {
  const [major = 0, minor = 0, patch = 0] = String(version)
    .split('.')
    .map((part) => Number.parseInt(part, 10) || 0)
  return [major, minor, patch]
}

function isBelow(a: Version, b: Version): boolean {
  const at = a.findIndex((part, i) => part !== b[i])
  return at !== -1 && (a[at] ?? 0) < (b[at] ?? 0)
}
