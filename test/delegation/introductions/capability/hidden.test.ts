// A request for a capability tells its requester nothing about non-public skills.
//
// Two registries differ in nothing but the ids of the non-public skills of one agent after another: each of the 200 capabilities is a pair of worlds, one in
// which exactly one agent has it as a non-public skill, and one in which no agent has it. The requesters of both do the same and must get the same
// bytes, except for random ids. bench/capability.js compares the times of the responses.
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Agent } from '../../../../src/client/index.js'
import { CAPABILITY_ASKS, CAPABILITY_JOBS } from '../../../../src/delegation/introductions/capability/store.js'
import type { JsonObject } from '../../../../src/lib/json.js'
import { type Actor, type AgentActor, aCard, type Registry, startRegistry } from '../../../registry.js'

const PAIRS = 200
const AGENTS = 4
const REQUESTERS = 4
const PER_AGENT = PAIRS / AGENTS

interface World {
  readonly registry: Registry
  readonly acme: Actor
  readonly globex: Actor
  readonly requesters: readonly Requester[]
}

interface Requester {
  readonly client: Agent
  /** Sends one request, and returns the bytes of the response. */
  send(capability: string): Promise<string>
}
let worlds: readonly [with_: World, without: World]
beforeAll(async () => {
  worlds = [await aWorld('wanted'), await aWorld('unused')]
})
afterAll(() => Promise.all(worlds.map(({ registry }) => registry[Symbol.asyncDispose]())))

const nameOf = (prefix: string, i: number) => `${prefix}-${String(i).padStart(4, '0')}`
const skill = (id: string): JsonObject => ({ id, name: 'x', description: 'x', tags: [] })

/** One server, so that all requests of a world reach the same instance. */
async function aWorld(prefix: string): Promise<World> {
  const registry = await startRegistry({ servers: 1 })
  const [acme, globex] = [await registry.organisation('Acme'), await registry.organisation('Globex')]
  for (let agent = 0; agent < AGENTS; agent++) {
    const hidden = Array.from({ length: PER_AGENT }, (_, i) => skill(nameOf(prefix, agent * PER_AGENT + i)))
    const target = await registry.agent({ registeredBy: acme, name: `target ${agent}` })
    await target.publish({
      card: aCard(registry, { skills: [skill('public'), ...hidden] }),
      hide: hidden.map((_, i) => `/skills/${i + 1}`),
    })
  }
  const rights = [{ audience: { anyAgent: true }, scope: 'ocr:read' }]
  const requesters: Requester[] = []
  for (let i = 0; i < REQUESTERS; i++)
    requesters.push(
      recordingClient({ registry }, await registry.agent({ registeredBy: globex, name: `requester ${i}`, ceiling: { rights } })),
    )
  return { registry, acme, globex, requesters }
}

/** The text without what is random in each request: ids, the order of agents by id, and the address of the registry. */
const comparable = (text: string) =>
  text
    .replaceAll(/"requester \d+"/g, '"requester"')
    .replaceAll(/\b(agt|int|org|mem|tok)[_:][\w-]{22}/g, '$1')
    .replaceAll(/127\.0\.0\.1:\d+/g, 'registry')

/** A client that reports each response to a request for an introduction. */
function recordingClient({ registry }: Pick<World, 'registry'>, requester: AgentActor): Requester {
  let response: string | undefined
  const client = registry.as(requester, {
    fetch: async (input, init) => {
      if (!String(input).includes('introductions.request')) return fetch(input, init)
      const answer = await fetch(input, init)
      const body = await answer.text()
      const headers = [...answer.headers].filter(([name]) => name !== 'date' && name !== 'x-request-id')
      response = JSON.stringify([answer.status, headers, body])
      return new Response(body, answer)
    },
  })
  return {
    client,
    send: async (capability) => {
      await client.introductions.request({ capability, purpose: 'a story' })
      if (response === undefined) throw new Error('no response')
      return response
    },
  }
}

async function send({ requesters }: World, i: number): Promise<string> {
  const requester = requesters[i % REQUESTERS]
  if (!requester) throw new Error('no requester')
  return requester.send(nameOf('wanted', i))
}

/** Everything that the requesters of a world, and their administrator, can read about their requests. */
async function readable({ registry, globex, requesters }: World): Promise<readonly string[]> {
  const seen: unknown[] = []
  for (const { client } of requesters) {
    const { items, cursor } = await client.introductions.list({ role: 'from', limit: 100 })
    // All are of one second, so their order is that of their random ids
    const sorted = [...items].sort((a, b) => ((a.capability ?? '') < (b.capability ?? '') ? -1 : 1))
    seen.push(sorted, cursor, await client.introductions.get(sorted[0]?.introductionId ?? ''), await client.introductions.inbox())
  }
  seen.push(await globex.query('audit.list', { limit: 100 }), await globex.query('limits.usage'))
  seen.push(await (await registry.fetch('/log/checkpoint')).text().then((text) => text.split('\n')[1]))
  return seen.map((part) =>
    comparable(JSON.stringify(part ?? null))
      .replaceAll(/"(tokenId|cursor)":"[^"]*"/g, '"$1":""')
      // The number of the row stays, the name of the instance is random
      .replaceAll(/"auditId":"[\w-]+ /g, '"auditId":"'),
  )
}

/** Lets the background work of both worlds run for the same time, until no job is left. */
async function matched(): Promise<void> {
  const jobsOf = ({ registry }: World) => registry.storage.collection(CAPABILITY_JOBS).find('due', { where: {}, limit: 1 })
  const countJobs = async () => {
    for (const { registry } of worlds) registry.clock.advance(3)
    return (await Promise.all(worlds.map(jobsOf))).flatMap(({ items }) => items).length
  }
  await expect.poll(countJobs).toBe(0)
}

test(`over ${PAIRS} pairs of worlds that differ in one non-public skill, the bytes of the responses do not tell them apart`, async () => {
  const [withSkill, without] = worlds
  for (let i = 0; i < PAIRS; i++) {
    const [present, absent] = [await send(withSkill, i), await send(without, i)]
    expect(comparable(present)).toBe(comparable(absent))
    expect(present.length).toBe(absent.length)
  }
})

test('after the requests were matched, the requesters still read the same in both worlds', async () => {
  await matched()
  const counts = await Promise.all(
    worlds.map(async ({ registry, acme }) => {
      const asks = registry.storage.collection(CAPABILITY_ASKS)
      return (await asks.find('toOrg', { where: { toOrg: acme.orgId }, limit: 2 * PAIRS })).items.length
    }),
  )
  expect(counts).toEqual([PAIRS, 0])
  const [withSkill, without] = await Promise.all(worlds.map(readable))
  expect(withSkill).toEqual(without)
})
