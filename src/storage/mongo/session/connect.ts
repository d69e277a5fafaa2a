// Connects with the official driver. Acknowledged writes are in the journals of a majority, and every operation has a time-out.
import { MongoClient, type MongoClientOptions, MongoError, MongoServerSelectionError } from 'mongodb'
import { refuse } from '../../../errors.js'
import type { Log } from '../../../lib/log.js'
import { hasOption, refuseUrl, requireSafeUrl } from '../url.js'

/** Bounds for every operation, retries included, in milliseconds. With the driver's defaults a write to a suspended primary waits for 33 s. */
const TIMEOUTS = {
  /** For a server that received the request and does not respond: it is suspended or disconnected. */
  socketTimeoutMS: 3000,
  serverSelectionTimeoutMS: 3000,
  connectTimeoutMS: 2000,
  heartbeatFrequencyMS: 1000,
  minHeartbeatFrequencyMS: 100,
  waitQueueTimeoutMS: 3000,
  maxIdleTimeMS: 60_000,
} as const

/** For an administrator's command. It may take long: creating an index over millions of documents is one operation. */
const ADMIN_TIMEOUTS = {
  socketTimeoutMS: 3_600_000,
  serverSelectionTimeoutMS: 10_000,
  connectTimeoutMS: 10_000,
  waitQueueTimeoutMS: 60_000,
} as const

/** Sent to the server at connection. Also identifies our sessions, see abandoned-sessions.ts. */
export const APP_NAME = 'credence'

/** A write is acknowledged when it is in the journals of a majority. */
export const DURABLE = { w: 'majority', journal: true } as const

const OPTIONS: MongoClientOptions = {
  ...TIMEOUTS,
  appName: APP_NAME,
  writeConcern: DURABLE,
  readConcern: { level: 'majority' },
  readPreference: 'primary',
  retryReads: true,
  retryWrites: true,
  ignoreUndefined: true,
}

/** All callers share the pool, and `waitQueueTimeoutMS` bounds the wait for a connection. The URL may set another size. */
const DEFAULT_POOL_SIZE = 64

/** The oldest supported release. */
const MIN_VERSION: Version = [7, 0, 0]
/** The first release of each line without CVE-2025-14847, by which any client that can connect reads the server's memory. */
const PATCHED_RELEASES: readonly Version[] = [
  [7, 0, 28],
  [8, 0, 17],
  [8, 2, 3],
]

interface ConnectOptions {
  readonly url: string
  /** Called if the server's release has published vulnerabilities. */
  readonly warn: Log['warn']
  /** Uses ADMIN_TIMEOUTS. */
  readonly isLongRunning?: boolean
}

/** Returns a connected client. Refuses a URL or a server that would weaken durability or security. */
export async function connect({ url, warn, isLongRunning = false }: ConnectOptions): Promise<MongoClient> {
  requireSafeUrl(url)
  const ownPoolSize = !hasOption(url, 'maxPoolSize') && { maxPoolSize: DEFAULT_POOL_SIZE }
  const client = newClient(url, { ...OPTIONS, ...ownPoolSize, ...(isLongRunning && ADMIN_TIMEOUTS) })
  try {
    await client.connect()
    const admin = client.db('admin')
    const [hello, build] = await Promise.all([admin.command({ hello: 1 }), admin.command({ buildInfo: 1 })])
    const reason = unsupportedReason(hello, build)
    if (reason !== undefined) refuse('unavailable', reason)
    const upgradeTo = patchedReleaseFor(build)
    if (upgradeTo !== undefined) warn('this MongoDB release has published vulnerabilities', { version: String(build.version), upgradeTo })
    return client
  } catch (error) {
    await client.close()
    // The driver's message names hosts and the cause, but no credentials
    if (error instanceof MongoError) return refuse('unavailable', isNoReplicaSet(error) ? NO_REPLICA_SET : cannotOpen(error))
    throw error
  }
}

/** Creates the client without connecting. Any error concerns the URL, because the options are ours, and its message may contain the URL: it is replaced. */
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

/** Why the server cannot be used, judged by its responses to `hello` and `buildInfo`, or undefined. */
export function unsupportedReason(hello: object, build: Build): string | undefined {
  const version = versionOf(build)
  if (isBelow(version, MIN_VERSION)) return `MongoDB ${version.join('.')} is not supported: upgrade it to ${MIN_VERSION.join('.')} or newer`
  const isReplicaSet = 'setName' in hello || ('msg' in hello && hello.msg === 'isdbgrid')
  return isReplicaSet ? undefined : NO_REPLICA_SET
}

const cannotOpen = ({ message }: MongoError): string => `cannot open the store: ${message}`

/** If the URL names a replica set, the driver ignores servers outside any set, and cannot select a server whose set was not initiated. */
const isNoReplicaSet = (error: MongoError): boolean => {
  const servers = error instanceof MongoServerSelectionError ? error.reason?.servers : undefined
  return servers !== undefined && (servers.size === 0 || [...servers.values()].some(({ type }) => type === 'RSGhost'))
}

const NO_REPLICA_SET =
  'this MongoDB server is not a replica set, which transactions and change streams need. Start it with --replSet rs0 and run once: mongosh --eval "rs.initiate()". If it is already a replica set, correct the name of the set in the storage URL'

/** The release to upgrade to, or undefined if the server's release has no published vulnerability. */
export function patchedReleaseFor(build: Build): string | undefined {
  const version = versionOf(build)
  const line = PATCHED_RELEASES.find(([major, minor]) => major === version[0] && minor === version[1])
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
  const i = a.findIndex((part, index) => part !== b[index])
  return i !== -1 && (a[i] ?? 0) < (b[i] ?? 0)
}
