// Every collection of the registry, by the declarations of its features: what moves, migrates or is split among shards as a whole.

import { type AuditStore, auditStore } from '../audit/store.js'
import { type InboxStore, inboxStore } from '../delegation/inbox/store.js'
import { type IntroductionsStore, introductionsStore } from '../delegation/introductions/store.js'
import { type TasksStore, tasksStore } from '../delegation/tasks/store.js'
import { type AgentsStore, agentsStore } from '../identity/agents/store.js'
import { type RegisteredKeysStore, registeredKeysStore } from '../identity/keys/store.js'
import { type MembersStore, membersStore } from '../identity/members/store.js'
import { type OrganisationsStore, organisationsStore } from '../identity/organisations/store.js'
import { systemClock } from '../lib/clock.js'
import { silentLog } from '../lib/log.js'
import { systemRandom } from '../lib/random.js'
import { type TokensStore, tokensStore } from '../oauth/store.js'
import { type CardsStore, cardsStore } from '../registry/cards/store.js'
import { ticketsIn } from '../revocations/tickets-store.js'
import { registryKeysIn, secretsIn } from '../signing-keys/key-store.js'
import { newReplayCache } from '../storage/replay-cache.js'
import { anySpec, type Collection, type Doc, type Spec, type Storage } from '../storage/storage.js'
import { newTrustLog } from '../trust-log/new-trust-log.js'
import { newCosignedLogs } from '../trust-log/witness/cosigned-logs.js'

/** What features keep, over a store that nobody serves. */
export interface Stores {
  readonly organisations: OrganisationsStore
  readonly members: MembersStore
  readonly registeredKeys: RegisteredKeysStore
  readonly agents: AgentsStore
  readonly inbox: InboxStore
  readonly tasks: TasksStore
  readonly cards: CardsStore
  readonly introductions: IntroductionsStore
  readonly tokens: TokensStore
  readonly audit: AuditStore
}

/** Declares every collection. Nothing is read or begun: the trust log beneath is never started. */
export function openStores(storage: Storage): Stores {
  const trustLog = newTrustLog({
    storage,
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    writer: 'admin',
    origin: 'admin',
    logSigner: () => Promise.reject(new Error('nothing is signed here')),
  })
  const deps = { storage, trustLog, random: systemRandom }
  registryKeysIn(storage)
  secretsIn(storage)
  ticketsIn(storage)
  newReplayCache(storage)
  newCosignedLogs({ storage, clock: systemClock, keysOf: () => Promise.reject(new Error('nothing is asked here')) })
  const registeredKeys = registeredKeysStore(deps)
  return {
    organisations: organisationsStore(deps),
    members: membersStore({ ...deps, registeredKeys }),
    registeredKeys,
    agents: agentsStore(deps),
    inbox: inboxStore(deps),
    tasks: tasksStore(deps),
    cards: cardsStore(deps),
    introductions: introductionsStore(deps),
    tokens: tokensStore(deps),
    audit: auditStore(storage),
  }
}

/** What every collection is declared as, by name. */
export function registryCollections(): readonly Spec<Doc>[] {
  const heard = new Map<string, Spec<Doc>>()
  openStores(hearing((spec) => heard.set(spec.name, spec)))
  return [...heard.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** A store that hears what is declared, and does nothing. */
function hearing(hear: (spec: Spec<Doc>) => void): Storage {
  const nothing = (): never => {
    throw new Error('this store only hears what is declared')
  }
  return {
    collection: <D extends Doc>(spec: Spec<D>): Collection<D> => {
      hear(anySpec(spec))
      const operations = { inserting: nothing, changing: nothing, taking: nothing }
      return { spec, insert: nothing, get: nothing, find: nothing, change: nothing, take: nothing, ...operations }
    },
    commit: nothing,
    count: nothing,
    log: { append: nothing, read: nothing, head: nothing, gather: nothing, has: nothing, blockOf: nothing, onAppend: nothing },
    cards: { search: nothing, shown: nothing, unshown: nothing },
    purge: nothing,
    close: async () => undefined,
  }
}
