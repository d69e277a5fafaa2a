import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Agent, type AgentOptions, confirmAgent, createAgent, joinRegistry } from '../src/client/index.js'
import { newEs256Signer, type Signer } from '../src/credentials/jose/sign.js'
import type { ConfiguredLimits } from '../src/identity/limits/limits.js'
import { type Clock, clientClock } from '../src/lib/clock.js'
import type { Outgoing } from '../src/lib/guarded-fetch/destination.js'
import type { Resolver } from '../src/lib/hosts/resolver.js'
import type { JsonObject } from '../src/lib/json.js'
import { type Log, silentLog } from '../src/lib/log.js'
import { systemRandom } from '../src/lib/random.js'
import { type AgentId, type Audience, audienceOf, type OrgId } from '../src/protocol/ids.js'
import { type RunningServer, startServer } from '../src/server/server.js'
import type { ServiceDeps } from '../src/server/stores.js'
import { openMongo } from '../src/storage/mongo/open.js'
import { openSqlite } from '../src/storage/sqlite/open.js'
import type { Storage } from '../src/storage/storage.js'
import type { ClockMode } from '../src/trust-log/clock-rule.js'
import { testDns } from './dns.js'
import { type Front, openFront } from './front.js'
import { type SetClock, setClock } from './set-clock.js'
import { type Mongod, startMongod } from './storage/open-mongo.js'
import { type Gate, gatedStorage } from './trust-log/gated-storage.js'

/** A client that uses only the public API of the registry. */
export interface Actor extends Agent {
  readonly signer: Signer
  readonly orgId: OrgId
}
export interface AgentActor extends Actor {
  readonly agentId: AgentId
  readonly audience: Audience
}

export interface Registration {
  readonly name?: string
  /** The administrator who registers the agent. Default: the administrator of an organisation named First. */
  readonly registeredBy?: Actor
  readonly ceiling?: object
  readonly introductionPolicy?: object
}

export interface Registry extends Cast, AsyncDisposable {
  readonly issuer: string
  readonly clock: SetClock
  readonly storage: Storage
  /** The whole content of the store as text, to search for a value anywhere in it. */
  stored(): Promise<readonly string[]>
  readonly servers: readonly RunningServer[]
  readonly front: Front
  /** Starts one more server over the store; every access to the store passes the gate. */
  addServer(gate: Gate): Promise<RunningServer>
  /** Requests a path as an anonymous caller. */
  fetch(path: string, init?: RequestInit): Promise<Response>
}

/** One Storage per server. With CREDENCE_TEST_STORE=mongodb the storages share only the database; otherwise all are one object over one file. */
async function openStorages(
  folder: string,
  clock: SetClock,
  count: number,
): Promise<Pick<Registry, 'stored'> & { readonly storages: readonly Storage[]; close(): Promise<void> }> {
  if (process.env.CREDENCE_TEST_STORE !== 'mongodb') {
    const storage = await openSqlite({ file: join(folder, 'store.db'), clock })
    return {
      storages: Array.from({ length: count }, () => storage),
      stored: async () => {
        const names = (await readdir(folder)).filter((name) => name.startsWith('store.db'))
        return Promise.all(names.map((name) => readFile(join(folder, name), 'latin1')))
      },
      close: () => storage.close(),
    }
  }
  mongod ??= startMongod()
  const server = await mongod
  const url = await server.lease()
  const storages: Storage[] = []
  for (let i = 0; i < count; i++)
    storages.push(await openMongo({ url, clock, storeClock: () => clock.now() * 1000, instance: `${i}`, warn: () => undefined }))
  return {
    storages,
    stored: () => server.documents(url),
    close: async () => {
      await Promise.all(storages.map((one) => one.close()))
      await server.release(url)
    },
  }
}
let mongod: Promise<Mongod> | undefined

/** Servers over one store that share no memory, behind one address; requests alternate between them. The clock stands still until a test moves it. */
export async function startRegistry({
  servers: count = 2,
  log = silentLog,
  clock = setClock(),
  dev = true,
  clockMode,
  limits = 'off',
  trustedProxies = [],
  origins = [],
  resolver = testDns(),
  outgoing,
  ca,
  freshness = 'off',
  localhost = false,
  gate,
  ...outside
}: {
  servers?: number
  log?: Log
  clock?: SetClock
  /** False: addresses in cards must be public, as outside development mode. */
  dev?: boolean
  /** Default: `dev`. */
  clockMode?: ClockMode
  /** Default: no rate limits, because the clock of a test stands still. */
  limits?: ConfiguredLimits
  trustedProxies?: readonly string[]
  origins?: readonly string[]
  /** Default: no name has a record. */
  resolver?: Resolver
  outgoing?: Outgoing
  ca?: string
  freshness?: 'off' | 'daily'
  /** The issuer has a host name: passkeys need one. */
  localhost?: boolean
  /** Every access of the servers to the store passes it. */
  gate?: Gate
} & Pick<ServiceDeps, 'outgoing' | 'resolver' | 'ca' | 'witness' | 'bearerTokens' | 'registration'> = {}): Promise<Registry> {
  const folder = await mkdtemp(join(tmpdir(), 'credence-story-'))
  const { storages, stored, close } = await openStorages(folder, clock, count)
  const [storage] = storages
  if (storage === undefined) throw new Error('startRegistry needs at least one server')
  const front = await openFront()
  const issuer = localhost ? front.origin.replace('127.0.0.1', 'localhost') : front.origin
  const servers: RunningServer[] = []
  const parts = {
    clock,
    random: systemRandom,
    log,
    issuer,
    dev,
    limits,
    trustedProxies,
    origins,
    resolver,
    ...(outgoing && { outgoing }),
    ...(ca !== undefined && { ca }),
    freshness,
    ...outside,
    host: '127.0.0.1',
    port: 0,
    adminPort: 0,
    ...(clockMode && { clockMode }),
  }
  let firstCode: string | undefined
  for (let i = 0; i < count; i++) {
    const own = storages[i] ?? storage
    const server = await startServer({ ...parts, storage: gate ? gatedStorage(own, gate) : own })
    // Each start makes a new code and invalidates the earlier one.
    firstCode = server.firstCode
    servers.push(server)
  }
  front.route(servers.map((server) => server.port))

  const cast = await newCast({ issuer, clock: alsoRealTime(clock), firstCode: firstCode ?? '' })
  return {
    issuer,
    clock,
    storage,
    stored,
    servers,
    front,
    ...cast,
    addServer: async (gate) => {
      const server = await startServer({ ...parts, storage: gatedStorage(storage, gate) })
      servers.push(server)
      return server
    },
    fetch: (path, init) => fetch(issuer + path, init),
    [Symbol.asyncDispose]: async () => {
      await front[Symbol.asyncDispose]()
      await Promise.all(servers.map((server) => server.close()))
      await close()
      await rm(folder, { recursive: true })
    },
  }
}

/** The clock of a client. A wait, such as that before a retry, ends when the test moves the clock or after the same real time. */
const alsoRealTime = (clock: Clock): Clock => ({
  ...clock,
  after: (ms, signal) => Promise.race([clock.after(ms, signal), clientClock.after(ms, signal)]),
})

/** The actors: the operator, who joins with the first code, and members and agents of the organisations that the operator creates. */
export interface Cast {
  readonly operator: Actor
  /** Creates an organisation and its administrator. */
  organisation(name: string): Promise<Actor>
  /** Redeems an invitation. */
  join(code: string, name: string): Promise<Actor>
  /** A registered agent without a confirmed key. */
  registration(
    registration?: Registration,
  ): Promise<{ readonly agentId: AgentId; readonly registrationToken: string; readonly orgId: OrgId }>
  /** A registered, confirmed, active agent. */
  agent(registration?: Registration): Promise<AgentActor>
  /** The same client with other options (clock, key). */
  as(actor: Actor, options?: Partial<AgentOptions>): Agent
}

export async function newCast({
  issuer,
  clock = clientClock,
  firstCode,
}: {
  readonly issuer: string
  readonly clock?: Clock
  readonly firstCode: string
}): Promise<Cast> {
  const actorOf = (clientId: string, signer: Signer, orgId: OrgId): Actor => ({
    ...createAgent({ issuer, clientId, signer, clock }),
    signer,
    orgId,
  })
  const join_ = async (code: string, name: string): Promise<Actor> => {
    const signer = await newEs256Signer()
    const joined = await joinRegistry({ issuer, code, name, signer, clock })
    return actorOf(joined.memberId, signer, joined.orgId)
  }
  const operator = await join_(firstCode, 'Olga')
  const organisation = async (name: string): Promise<Actor> => {
    const { orgId } = await operator.mutate<{ orgId: OrgId }>('organisations.create', { name })
    const { code } = await operator.mutate<{ code: string }>('members.invite', { orgId, role: 'administrator' })
    return join_(code, `${name}'s administrator`)
  }
  let first: Promise<Actor> | undefined
  const registration: Cast['registration'] = async ({ name = aName('agent'), registeredBy, ceiling = {}, introductionPolicy } = {}) => {
    first ??= registeredBy ? undefined : organisation('First')
    const admin = registeredBy ?? (await first)
    if (!admin) throw new Error('there is no administrator to register the agent')
    const registered = await admin.mutate<{ agentId: AgentId; registrationToken: string }>('agents.register', {
      name,
      ceiling,
      ...(introductionPolicy && { introductionPolicy }),
    })
    return { ...registered, orgId: admin.orgId }
  }
  return {
    operator,
    organisation,
    join: join_,
    registration,
    agent: async (options) => {
      const { agentId, registrationToken, orgId } = await registration(options)
      const signer = await newEs256Signer()
      await confirmAgent({ issuer, agentId, registrationToken, signer, clock })
      return { ...actorOf(agentId, signer, orgId), agentId, audience: audienceOf(issuer, agentId) }
    },
    as: (actor, options) => createAgent({ issuer, clientId: actor.clientId, signer: actor.signer, clock, ...options }),
  }
}

/** A name that no other agent has. */
export const aName = (name: string): string => `${name} ${systemRandom.token(4)}`

/** A card of version 1.0 with the given members replaced. */
export function aCard(registry: { issuer: string }, changes: JsonObject = {}): JsonObject {
  return {
    name: 'Ocelot OCR',
    description: 'Reads scanned documents.',
    version: '1.0.0',
    supportedInterfaces: [{ url: 'http://127.0.0.1:9/a2a', protocolBinding: 'JSONRPC', protocolVersion: '1.0' }],
    capabilities: {},
    securitySchemes: {
      credence: {
        oauth2SecurityScheme: {
          flows: {
            clientCredentials: {
              tokenUrl: `${registry.issuer}/oauth/token`,
              scopes: { 'ocr:read': 'read a page', 'ocr:admin': 'change settings' },
            },
          },
          oauth2MetadataUrl: `${registry.issuer}/.well-known/oauth-authorization-server`,
        },
      },
    },
    securityRequirements: [{ schemes: { credence: { list: ['ocr:read'] } } }],
    defaultInputModes: ['image/png'],
    defaultOutputModes: ['text/plain'],
    skills: [{ id: 'read-page', name: 'Read a page', description: 'Text of one scanned page.', tags: ['ocr', 'scan'] }],
    ...changes,
  }
}
