import { afterAll, beforeAll } from 'vitest'
import { z } from 'zod'
import type { Collection, Spec, Storage } from '../../../src/storage/storage.js'
import type { ContractStore, OpenStore } from '../contract.js'

const Thing = z.strictObject({
  id: z.string().max(64),
  group: z.string().max(64),
  rank: z.union([z.number(), z.string().max(64)]).optional(),
  by: z.array(z.string().max(64)).max(8).optional(),
  name: z.string().max(64).optional(),
  state: z.string().max(16).optional(),
  isOpen: z.boolean().optional(),
  until: z.number().optional(),
  inner: z.record(z.string(), z.json()).optional(),
})
export type Thing = z.infer<typeof Thing>

export const THINGS: Spec<Thing> = {
  name: 'things',
  schema: Thing,
  key: 'id',
  expires: 'until',
  indexes: {
    group: { fields: ['group', 'rank'] },
    by: { fields: ['by', 'rank'] },
    rank: { fields: ['rank'] },
    state: { fields: ['state', 'isOpen', 'rank'] },
    name: { fields: ['group', 'name'], unique: true },
  },
}

export const CALLERS = 20

/** Twenty concurrent calls, alternating between the two Storage objects. */
export const atOnce = <T>(store: ContractStore, call: (storage: Storage, caller: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: CALLERS }, (_, caller) => call(caller % 2 === 0 ? store.storage : store.other, caller)))

/** One store for all tests of a suite that do not disturb each other. */
export function sharedStore(open: OpenStore): () => ContractStore {
  let store: ContractStore
  beforeAll(async () => {
    store = await open()
  })
  afterAll(() => store[Symbol.asyncDispose]())
  return () => store
}

export const thingsOf = (storage: Storage): Collection<Thing> => storage.collection(THINGS)

/** Reads all pages of a query. */
export async function allOf(
  things: Collection<Thing>,
  index: string,
  where: object,
  limit: number,
  order: 'up' | 'down' = 'up',
): Promise<Thing[]> {
  const found: Thing[] = []
  for (let page = await things.find(index, { where, limit, order }); ; ) {
    found.push(...page.items)
    if (page.next === undefined) return found
    page = await things.find(index, { where, limit, order, after: page.next })
  }
}

export const idsOf = (things: readonly Thing[]): string[] => things.map((thing) => thing.id)
