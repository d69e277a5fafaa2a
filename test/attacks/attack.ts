import { afterAll, beforeAll, expect, test } from 'vitest'
import { type AgentActor, type Registry, startRegistry } from '../registry.js'
import { aPair, type Pair } from '../stories/actors.js'

export interface Ground extends Pair {
  readonly registry: Registry
  /** An agent of a third organisation, introduced to nobody. */
  readonly stranger: AgentActor
}

/** A started registry with a pair of agents and a stranger, for the attacks of one file. */
export function dependencies(): Ground {
  const held: { registry?: Registry; pair?: Pair; stranger?: AgentActor } = {}
  beforeAll(async () => {
    held.registry = await startRegistry()
    held.pair = await aPair(held.registry, ['ocr:read'])
    held.stranger = await held.registry.agent({ of: await held.registry.organisation('Stranger') })
  })
  afterAll(() => held.registry?.[Symbol.asyncDispose]())
  const need = <T>(value: T | undefined): T => {
    if (value === undefined) throw new Error('the registry has not started')
    return value
  }
  return {
    get registry() {
      return need(held.registry)
    },
    get stranger() {
      return need(held.stranger)
    },
    get acme() {
      return need(held.pair).acme
    },
    get globex() {
      return need(held.pair).globex
    },
    get ocr() {
      return need(held.pair).ocr
    },
    get planner() {
      return need(held.pair).planner
    },
    get introductionId() {
      return need(held.pair).introductionId
    },
  }
}

/**
 * One attack of the list, by its id. Afterwards the process answers, and where the attack must change nothing (`writes: false`) the log is as it
 * was.
 */
export function attack(id: string, what: string, on: Ground, run: () => Promise<void>, { writes = true }: { writes?: boolean } = {}): void {
  test(`${id} ${what}`, async () => {
    const { registry } = on
    const before = await newestBlock(registry)
    await run()
    if (!writes) expect(await newestBlock(registry)).toBe(before)
    expect((await registry.fetch('/trpc/system.info')).status).toBe(200)
  })
}

/** The number of the log's newest block, by the store: what a server has applied may be older. */
export const newestBlock = async ({ storage }: Registry): Promise<number | undefined> => (await storage.log.head())?.n

/** A procedure as a stranger, or under headers of one's own: status and reason. */
export async function raw(registry: Registry, path: string, init: RequestInit = {}): Promise<[number, string | undefined]> {
  const answer = await registry.fetch(path, init)
  const text = await answer.text()
  const body = text.startsWith('{') ? JSON.parse(text) : {}
  return [answer.status, body.error?.data?.reason ?? body.error]
}
