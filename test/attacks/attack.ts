import { afterAll, beforeAll, expect, test } from 'vitest'
import { type AgentActor, type Registry, startRegistry } from '../registry.js'
import { aPair, type Pair } from '../stories/actors.js'

export interface AttackSetup extends Pair {
  readonly registry: Registry
  /** An agent of a third organisation, without an introduction. */
  readonly outsider: AgentActor
}

/** One registry for the attacks of a file, with an introduced pair of agents and an agent of a third organisation. */
export function attackSetup(options: Parameters<typeof startRegistry>[0] = {}): AttackSetup {
  const started: { registry?: Registry; pair?: Pair; outsider?: AgentActor } = {}
  beforeAll(async () => {
    started.registry = await startRegistry(options)
    started.pair = await aPair(started.registry, ['ocr:read'])
    started.outsider = await started.registry.agent({ registeredBy: await started.registry.organisation('Outsider') })
  })
  afterAll(() => started.registry?.[Symbol.asyncDispose]())
  const required = <T>(value: T | undefined): T => {
    if (value === undefined) throw new Error('the registry has not started')
    return value
  }
  return {
    get registry() {
      return required(started.registry)
    },
    get outsider() {
      return required(started.outsider)
    },
    get acme() {
      return required(started.pair).acme
    },
    get globex() {
      return required(started.pair).globex
    },
    get ocr() {
      return required(started.pair).ocr
    },
    get planner() {
      return required(started.pair).planner
    },
    get introductionId() {
      return required(started.pair).introductionId
    },
  }
}

/** Defines the test of one attack of attacks.tsv. Afterwards the server must still respond; with `writes: false` the log must have no new block. */
export function attack(
  id: string,
  title: string,
  setup: AttackSetup,
  run: () => Promise<void>,
  { writes = true, timeoutMs }: { writes?: boolean; timeoutMs?: number } = {},
): void {
  const checked = async () => {
    const { registry } = setup
    const before = await newestBlock(registry)
    await run()
    if (!writes) expect(await newestBlock(registry)).toBe(before)
    expect((await registry.fetch('/trpc/system.info')).status).toBe(200)
  }
  test(`${id} ${title}`, checked, timeoutMs)
}

/** The number of the log's newest block in the store. A server may not have applied it yet. */
export const newestBlock = async ({ storage }: Registry): Promise<number | undefined> => (await storage.log.head())?.n

/** Calls a path without credentials, or with those in `init`, and returns status and reason. */
export async function raw(registry: Registry, path: string, init: RequestInit = {}): Promise<[number, string | undefined]> {
  const response = await registry.fetch(path, init)
  const text = await response.text()
  const body = text.startsWith('{') ? JSON.parse(text) : {}
  return [response.status, body.error?.data?.reason ?? body.error]
}
