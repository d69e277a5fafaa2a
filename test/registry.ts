import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Agent, type AgentOptions, confirmAgent, createAgent, joinRegistry } from '../src/client/index.js'
import { newEs256Signer, type Signer } from '../src/credentials/jose/sign.js'
import { type Clock, waitingClock } from '../src/lib/clock.js'
import type { JsonObject } from '../src/lib/json.js'
import { type Log, silentLog } from '../src/lib/log.js'
import { systemRandom } from '../src/lib/random.js'
import { type AgentId, type Audience, audienceOf, type OrgId } from '../src/protocol/ids.js'
import { type RunningServer, startServer } from '../src/server/server.js'
import { openMongo } from '../src/storage/mongo/open.js'
import { openSqlite } from '../src/storage/sqlite/open.js'
import type { Storage } from '../src/storage/storage.js'
import { type Front, openFront } from './front.js'
import { type SetClock, setClock } from './set-clock.js'
import { type Mongod, startMongod } from './storage/open-mongo.js'
import { type Gate, gatedStorage } from './trust-log/gated-storage.js'

/** Somebody who speaks to the registry through its public doors only. */
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
  /** Whose agent: an administrator. Default: the first organisation's. */
  readonly of?: Actor
  readonly ceiling?: object
  readonly contact?: object
}

export interface Registry extends Cast, AsyncDisposable {
  readonly issuer: string
  readonly clock: SetClock
  readonly storage: Storage
  /** Everything that the store holds, as text: what is looked for in it is found, wherever it lies. */
  stored(): Promise<readonly string[]>
  readonly servers: readonly RunningServer[]
  readonly front: Front
  /** One more server over the store, whose every access passes the gate. */
  addServer(gate: Gate): Promise<RunningServer>
  /** Fetches a door as a stranger. */
  fetch(path: string, init?: RequestInit): Promise<Response>
}

/** A Storage for each server. CREDENCE_TEST_STORE=mongodb: over MongoDB, where they share nothing but the database; else one file, one object. */
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

/** Servers over one store that share no memory, behind one address; requests alternate among them. The clock stands still until a test moves it. */
export async function startRegistry({
  servers: count = 2,
  log = silentLog,
  clock = setClock(),
}: {
  servers?: number
  log?: Log
  clock?: SetClock
} = {}): Promise<Registry> {
  const folder = await mkdtemp(join(tmpdir(), 'credence-story-'))
  const { storages, stored, close } = await openStorages(folder, clock, count)
  const [storage] = storages
  if (storage === undefined) throw new Error('a registry has one server at least')
  const front = await openFront()
  const issuer = front.origin
  const servers: RunningServer[] = []
  const parts = { clock, random: systemRandom, log, issuer, dev: true, host: '127.0.0.1', port: 0, adminPort: 0 }
  let firstCode: string | undefined
  for (let i = 0; i < count; i++) {
    const server = await startServer({ ...parts, storage: storages[i] ?? storage })
    // Each start makes a new code, and the earlier one void.
    firstCode = server.firstCode
    servers.push(server)
  }
  front.route(servers.map((server) => server.port))

  const cast = await newCast({ issuer, clock: alsoTicking(clock), firstCode: firstCode ?? '' })
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

/** A client's: what waits for a moment (another try after a 503) goes on when the test moves the clock, or so long has truly passed. */
const alsoTicking = (clock: Clock): Clock => ({
  ...clock,
  after: (ms, signal) => Promise.race([clock.after(ms, signal), waitingClock.after(ms, signal)]),
})

/** Who plays: the operator, who joins by the first code, and whom it lets in. */
export interface Cast {
  readonly operator: Actor
  /** A new organisation with its administrator. */
  organisation(name: string): Promise<Actor>
  /** Redeems an invitation. */
  join(code: string, name: string): Promise<Actor>
  /** A registered agent that nobody has confirmed. */
  registration(
    registration?: Registration,
  ): Promise<{ readonly agentId: AgentId; readonly registrationToken: string; readonly orgId: OrgId }>
  /** A registered, confirmed, active agent. */
  agent(registration?: Registration): Promise<AgentActor>
  /** The same client over other options (another clock, another key). */
  as(actor: Actor, options?: Partial<AgentOptions>): Agent
}

export async function newCast({
  issuer,
  clock = waitingClock,
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
  const registration: Cast['registration'] = async ({ name = 'an agent', of, ceiling = {}, contact } = {}) => {
    first ??= of ? undefined : organisation('First')
    const admin = of ?? (await first)
    if (!admin) throw new Error('nobody registers it')
    const registered = await admin.mutate<{ agentId: AgentId; registrationToken: string }>('agents.register', {
      name,
      ceiling,
      ...(contact && { contact }),
    })
    return { ...registered, orgId: admin.orgId }
  }
  return {
    operator,
    organisation,
    join: join_,
    registration,
    agent: async (asked) => {
      const { agentId, registrationToken, orgId } = await registration(asked)
      const signer = await newEs256Signer()
      await confirmAgent({ issuer, agentId, registrationToken, signer, clock })
      return { ...actorOf(agentId, signer, orgId), agentId, audience: audienceOf(issuer, agentId) }
    },
    as: (actor, options) => createAgent({ issuer, clientId: actor.clientId, signer: actor.signer, clock, ...options }),
  }
}

/** A card of version 1.0; say what the test is about. */
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
