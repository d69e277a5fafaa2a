// Imports every real card of ../shared/cards.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { isJsonObject, type JsonValue, parseJson } from '../../../../src/lib/json.js'
import { pathOf } from '../../../../src/lib/json-pointer.js'
import { CARD_RULES } from '../../../../src/protocol/cards/card-rules.js'
import type { CardImported } from '../../../../src/registry/cards/import/import.js'
import { checkCard, publishErrors } from '../../../../src/registry/cards/lint/all-faults.js'
import { type AgentActor, type Registry, startRegistry } from '../../../registry.js'
import { describeShared } from '../../../shared-material.js'

/** The files that are refused, with their reason. */
const REFUSED = {
  'not-json-1.txt': 'not-json',
  'not-json-2.txt': 'not-json',
  // Only a link to a card, `wellKnownURI`
  'a2a-registry-example-weather-bot.json': 'no-endpoint',
  // A registration of ERC-8004, with a link to a card in `services`
  'alchemy-shortened-from-read-file.json': 'no-endpoint',
  'apicurio-registry-agentcard-missing-interfaces.json': 'no-endpoint',
  // The description of a program, without any address
  'daily-wordle-agent-shortened-from-read-file.json': 'no-endpoint',
  // Paths without a host
  'telex-dictionary-agent-shortened-from-read-file.json': 'no-endpoint',
} as const

let registry: Registry
let agent: AgentActor
beforeAll(async () => {
  registry = await startRegistry({ dev: false })
  agent = await registry.agent()
})
afterAll(() => registry[Symbol.asyncDispose]())

/** The value at a path, or undefined. */
const valueAt = (json: JsonValue, path: readonly string[]): JsonValue | undefined =>
  path.reduce<JsonValue | undefined>(
    (value, name) =>
      Array.isArray(value) ? value[Number(name)] : isJsonObject(value) && Object.hasOwn(value, name) ? value[name] : undefined,
    json,
  )

describeShared('cards', 'real cards', (cards) => {
  const names = cards.names().filter((name) => name.endsWith('.json') || name.startsWith('not-json'))
  const refused = names.filter((name) => Object.hasOwn(REFUSED, name))

  test('the table of refused files names files that exist', () => {
    expect(refused.sort()).toEqual(Object.keys(REFUSED).sort())
  })

  test.each(names.map((name) => [name]))('%s', async (name) => {
    const text = cards.text(name)
    const imported = await agent.mutate<CardImported>('cards.import', { agentId: agent.agentId, card: text })
    if (name in REFUSED) {
      expect(imported.faults[0]?.code).toBe(REFUSED[name as keyof typeof REFUSED])
      expect([imported.state, imported.version]).toEqual(['refused', undefined])
      return
    }
    expect(imported.version).toBeGreaterThan(0)
    expect(imported.faults.every(({ code }) => CARD_RULES[code].import === 'warning')).toBe(true)
    expect(await (await registry.fetch(`/agents/${agent.agentId}/.well-known/agent-card.json`)).text()).toBe(text.replace(/^\ufeff/, ''))
    const { hits } = await agent.query<{ hits: { verdict: { state: string } }[] }>('discovery.search', { includeNonconformant: true })
    expect(hits[0]?.verdict).toEqual(imported.verdict)
    const found = await agent.query<{ total: number }>('discovery.search', {})
    expect(found.total).toBe(imported.state === 'nonconformant' ? 0 : 1)
  })

  test.each(
    names.filter((name) => name.endsWith('.json')).map((name) => [name]),
  )('the pointers of all faults of %s lead into the file', (name) => {
    const json = parseJson(cards.text(name))
    for (const { code, pointer, hint } of checkCard(cards.text(name), { dev: false }).allFaults) {
      const path = pathOf(pointer) ?? ['not a pointer']
      const isThere = valueAt(json, path) !== undefined
      // A member without a value is null, or is not there
      expect([code, pointer, hint, isThere || valueAt(json, path) === null]).toEqual([code, pointer, hint, code !== 'missing-member'])
      expect(valueAt(json, path.slice(0, -1))).toBeDefined()
      expect(hint).not.toMatch(/Invalid input|undefined/)
    }
  })

  test('a card with a fault that forbids publishing is not one that could be published', () => {
    const publishable = names.filter((name) => publishErrors(checkCard(cards.text(name), { dev: true }).allFaults).length === 0)
    expect(publishable.length).toBeGreaterThan(30)
    expect(publishable.filter((name) => !['accepted', 'normalised'].includes(checkCard(cards.text(name), { dev: true }).state))).toEqual([])
  })
})
