// How the official driver is set up, on purpose: what is acknowledged is on a majority and in its journals, and nothing waits for ever.
import { MongoClient, type MongoClientOptions, MongoError } from 'mongodb'
import { refuse } from '../../errors.js'

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

const OPTIONS: MongoClientOptions = {
  ...TIMES,
  appName: 'credence',
  writeConcern: { w: 'majority', journal: true },
  readConcern: { level: 'majority' },
  readPreference: 'primary',
  retryReads: true,
  retryWrites: true,
  // Callers share it: requests that wait for a connection are bounded by waitQueueTimeoutMS.
  maxPoolSize: 64,
  ignoreUndefined: true,
}

/** The first release that is supported. */
const FLOOR = [7, 0, 0] as const
/** The first releases of each line without CVE-2025-14847 (memory of the server, read by anyone who can connect). */
const SOUND: readonly (readonly [number, number, number])[] = [
  [7, 0, 28],
  [8, 0, 17],
  [8, 2, 3],
]

/** A connected client; refuses (by throwing) what would not keep the promises. `warn` hears of releases with published vulnerabilities. */
export async function connect(url: string, warn: (text: string, facts: object) => void, isPatient = false): Promise<MongoClient> {
  refuseWeaker(url)
  const client = new MongoClient(url, { ...OPTIONS, ...(isPatient && PATIENT_TIMES) })
  try {
    await client.connect()
    const admin = client.db('admin')
    const [hello, build] = await Promise.all([admin.command({ hello: 1 }), admin.command({ buildInfo: 1 })])
    refuseServer(hello, versionOf(build))
    const line = SOUND.find(([major, minor]) => major === versionOf(build)[0] && minor === versionOf(build)[1])
    if (line !== undefined && isBelow(versionOf(build), line))
      warn('this MongoDB release has published vulnerabilities', { version: String(build.version), upgradeTo: line.join('.') })
    return client
  } catch (error) {
    await client.close()
    // What the driver says names hosts and the reason, no credentials
    if (error instanceof MongoError) return refuse('unavailable', `the storage cannot be opened: ${error.message}`)
    throw error
  }
}

/** The URL may name hosts, credentials and TLS; it may not ask for less than what is promised. */
function refuseWeaker(url: string): void {
  const asked = new Map([...withoutHosts(url).searchParams].map(([name, value]) => [name.toLowerCase(), value]))
  const allowed: readonly (readonly [string, string])[] = [
    ['w', 'majority'],
    ['journal', 'true'],
    ['j', 'true'],
    ['readconcernlevel', 'majority'],
    ['readpreference', 'primary'],
    ['retrywrites', 'true'],
    ['retryreads', 'true'],
  ]
  for (const [name, only] of allowed) {
    const value = asked.get(name)
    if (value !== undefined && value !== only)
      refuse('bad_input', `the storage URL asks for ${name}=${value}; only ${name}=${only} keeps what is promised`)
  }
}

/** The database that the URL names; the driver's own default where it names none. */
export const databaseOf = (url: string): string => decodeURIComponent(withoutHosts(url).pathname.slice(1)) || 'test'

/** A URL that can be parsed as one: a list of hosts cannot. */
const withoutHosts = (url: string): URL => new URL(url.replace(/^mongodb(\+srv)?:\/\/[^/?]*/, 'mongodb://host'))

function refuseServer(hello: object, version: readonly [number, number, number]): void {
  if (isBelow(version, FLOOR)) refuse('unavailable', `MongoDB ${version.join('.')} is too old: ${FLOOR.join('.')} or newer is needed`)
  const isReplicaSet = 'setName' in hello || ('msg' in hello && hello.msg === 'isdbgrid')
  if (!isReplicaSet)
    refuse(
      'unavailable',
      'this MongoDB server is not a replica set, which transactions and change streams need. Start it with --replSet rs0 and run once: mongosh --eval "rs.initiate()"',
    )
}

function versionOf(build: { readonly version?: unknown }): readonly [number, number, number] {
  const [major = 0, minor = 0, patch = 0] = String(build.version).split('.').map(Number)
  return [major, minor, patch]
}

function isBelow(a: readonly [number, number, number], b: readonly [number, number, number]): boolean {
  const at = a.findIndex((part, i) => part !== b[i])
  return at !== -1 && (a[at] ?? 0) < (b[at] ?? 0)
}
