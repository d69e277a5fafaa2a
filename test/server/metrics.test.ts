import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { REFUSALS } from '../../src/errors.js'
import { type Registry, startRegistry } from '../registry.js'
import { aPair, type Pair } from '../stories/actors.js'

const ROOT = join(import.meta.dirname, '../..')
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')

let registry: Registry
let pair: Pair
beforeAll(async () => {
  registry = await startRegistry({ servers: 1 })
  pair = await aPair(registry, ['ocr:read'])
})
afterAll(() => registry[Symbol.asyncDispose]())

const scrape = async (): Promise<string> => (await fetch(`http://127.0.0.1:${registry.servers[0]?.adminPort}/metrics`)).text()
/** The value of a sample, 0 if there is none. */
const sampleOf = async (sample: string): Promise<number> =>
  Number(
    (await scrape())
      .split('\n')
      .find((line) => line.startsWith(`${sample} `))
      ?.slice(sample.length + 1) ?? 0,
  )
/** How much a sample grows while `work` runs. */
async function growth(sample: string, work: () => Promise<unknown>): Promise<number> {
  const before = await sampleOf(sample)
  await work()
  return (await sampleOf(sample)) - before
}

const registered = async (): Promise<ReadonlyMap<string, string>> =>
  new Map([...(await scrape()).matchAll(/^# TYPE (\S+) (\S+)$/gm)].map((match) => [match[1] ?? '', match[2] ?? '']))
const namesIn = (text: string): string[] => [...new Set(text.match(/\bcredence_[a-z0-9_]+/g))].sort()

describe('the names of metrics', () => {
  test('every metric begins with credence_, and docs/OPERATIONS.md explains exactly the registered ones', async () => {
    const names = [...(await registered()).keys()].sort()
    expect(names.length).toBeGreaterThan(50)
    expect(names.filter((name) => !name.startsWith('credence_'))).toEqual([])
    const [, section = ''] = /\n## Metrics\n(.*?)\n## /s.exec(read('docs/OPERATIONS.md')) ?? []
    expect(namesIn(section)).toEqual(names)
  })

  test('dashboard and alerts use registered metrics only, and the dashboard shows every metric of the registry itself', async () => {
    const types = await registered()
    const usable = [...types].flatMap(([name, type]) =>
      type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
    )
    const dashboard = read('docs/dashboards/credence.json')
    expect(() => JSON.parse(dashboard)).not.toThrow()
    const used = namesIn(dashboard)
    expect(used.filter((name) => !usable.includes(name))).toEqual([])
    expect(namesIn(read('docs/dashboards/alerts.yml')).filter((name) => !usable.includes(name))).toEqual([])
    const own = [...types.keys()].filter((name) => !/^credence_(process|nodejs)_/.test(name))
    expect(own.length).toBeGreaterThan(25)
    expect(own.filter((name) => !used.some((one) => one.startsWith(name)))).toEqual([])
  })

  test('docs/OPERATIONS.md explains every alert, and no other', () => {
    const alerts = [...read('docs/dashboards/alerts.yml').matchAll(/- alert: (\w+)/g)].map((match) => match[1] ?? '')
    const [, section = ''] = /\n## Alerts\n(.*?)\n## /s.exec(read('docs/OPERATIONS.md')) ?? []
    const documented = [...section.matchAll(/^\| `(\w+)` \|/gm)].map((match) => match[1] ?? '')
    expect(alerts.length).toBeGreaterThan(10)
    expect(documented.sort()).toEqual(alerts.sort())
  })
})

/** promtool of Prometheus: the program that CREDENCE_TEST_PROMTOOL names, or the one on the PATH. */
const PROMTOOL = process.env.CREDENCE_TEST_PROMTOOL ?? 'promtool'
const hasPromtool = spawnSync(PROMTOOL, ['--version']).status === 0
if (!hasPromtool)
  console.warn(
    '\n*** NOT TESTED: promtool check rules, test rules and check metrics. Install Prometheus, or name promtool with CREDENCE_TEST_PROMTOOL. ***\n',
  )
describe.skipIf(!hasPromtool)('promtool', () => {
  test('check metrics finds no fault in the names and the format', async () => {
    const { status, stdout, stderr } = spawnSync(PROMTOOL, ['check', 'metrics'], { input: await scrape(), encoding: 'utf8' })
    expect([status, stdout, stderr]).toEqual([0, '', ''])
  })

  test('check rules accepts alerts.yml', () => {
    const { status, stderr } = spawnSync(PROMTOOL, ['check', 'rules', join(ROOT, 'docs/dashboards/alerts.yml')], { encoding: 'utf8' })
    expect([status, stderr]).toEqual([0, ''])
  })

  test('test rules: each alert fires in its state, and none for a healthy instance', () => {
    const { status, stdout, stderr } = spawnSync(PROMTOOL, ['test', 'rules', join(import.meta.dirname, 'alerts.promtool.yml')], {
      encoding: 'utf8',
    })
    expect(status, stdout + stderr).toBe(0)
  })
})

test('every sample has the text format of Prometheus: a name, labels in quotes and a number', async () => {
  const lines = (await scrape()).split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  expect(lines.length).toBeGreaterThan(200)
  expect(lines.filter((line) => !/^[a-z_0-9]+(\{([a-z_]+="[^"\\\n]*",?)+\})? (-?[\d.]+(e[+-]?\d+)?|\+Inf|NaN)$/i.test(line))).toEqual([])
})

describe('the values', () => {
  test('a request, its call and its refusal are counted by route, procedure and reason', async () => {
    const call = () => registry.fetch('/trpc/agents.list')
    expect(await growth('credence_http_requests_total{endpoint="/trpc/*",outcome="refused"}', call)).toBe(1)
    expect(await growth('credence_calls_total{procedure="agents.list",outcome="refused"}', call)).toBe(1)
    expect(await growth('credence_refusals_total{reason="invalid_token"}', call)).toBe(1)
    expect(await growth('credence_call_seconds_count{procedure="agents.list"}', call)).toBe(1)
    expect(await growth('credence_http_request_seconds_count{endpoint="/log/checkpoint"}', () => registry.fetch('/log/checkpoint'))).toBe(1)
  })

  test('each call of a batch counts, and a refusal of the whole request counts once', async () => {
    const batch = () => registry.fetch('/trpc/system.info,system.info?batch=1')
    expect(await growth('credence_calls_total{procedure="system.info",outcome="ok"}', batch)).toBe(2)
    const large = () => registry.fetch(`/trpc/${Array(11).fill('system.info').join(',')}?batch=1`)
    expect(await growth('credence_refusals_total{reason="batch_too_large"}', large)).toBe(1)
  })

  test('a request that node:http cannot read counts without an endpoint', async () => {
    const bad = () => fetch(`http://127.0.0.1:${registry.servers[0]?.port}/`, { headers: { a: 'a'.repeat(20_000) } })
    expect(await growth('credence_http_requests_total{endpoint="none",outcome="refused"}', bad)).toBe(1)
  })

  test('a revocation is a commit, a block with one entry, an append of the store, and one entry more in the log', async () => {
    const end = async () => {
      const agent = await registry.agent({ registeredBy: pair.acme })
      return pair.acme.mutate('agents.revoke', { agentId: agent.agentId })
    }
    for (const sample of [
      'credence_commit_seconds_count',
      'credence_block_entries_count',
      'credence_store_seconds_count{operation="append"}',
      'credence_log_entries',
      'credence_read_barrier_seconds_count',
      'credence_queue_wait_seconds_count{queue="clients"}',
    ])
      expect(await growth(sample, end), sample).toBeGreaterThan(0)
  })

  test('a search counts by the kind of its caller', async () => {
    expect(await growth('credence_search_seconds_count{caller="authenticated"}', () => pair.planner.search({ text: 'ocr' }))).toBe(1)
    expect(await growth('credence_search_seconds_count{caller="anonymous"}', () => registry.fetch('/trpc/discovery.search?input={}'))).toBe(
      1,
    )
  })

  test('a subscriber of the feed is counted while it is connected, with how it began', async () => {
    const before = await sampleOf('credence_feed_subscriptions_total{start="new"}')
    const feed = await pair.planner.subscribe()
    expect(await sampleOf('credence_feed_subscribers')).toBe(1)
    expect(await sampleOf('credence_sockets')).toBe(1)
    expect(await sampleOf('credence_feed_lag_entries')).toBe(0)
    expect(await sampleOf('credence_feed_subscriptions_total{start="new"}')).toBe(before + 1)
    feed.close()
    await expect.poll(() => sampleOf('credence_feed_subscribers')).toBe(0)
  })

  test('the state is ready, with free space on the disk; what this registry does not have, has no sample', async () => {
    const text = await scrape()
    expect(text).toMatch(/^credence_ready 1$/m)
    expect(text).toMatch(/^credence_store_writable 1$/m)
    expect(text).toMatch(/^credence_clock_plausible 1$/m)
    expect(text).toMatch(/^credence_disk_free_bytes \d{8,}$/m)
    expect(text).not.toMatch(/^credence_(witness_\w+|clock_skew_seconds) /m)
  })

  test('every reason of the table has a sample from the start, and no other has one', async () => {
    const reasons = [...(await scrape()).matchAll(/credence_refusals_total\{reason="(\w+)"\}/g)].map((match) => match[1] ?? '')
    expect(reasons.sort()).toEqual(Object.keys(REFUSALS).sort())
  })
})

test('requests past a rate are counted by the name of the limit', async () => {
  await using limited = await startRegistry({ servers: 1, limits: 'on' })
  const port = limited.servers[0]?.adminPort
  for (let i = 0; i < 6; i++) await limited.fetch('/trpc/cards.lint?input={"card":"{}"}')
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
  expect(text).toMatch(/^credence_limit_rejections_total\{limit="card-lint"\} 1$/m)
  expect(text).toMatch(/^credence_refusals_total\{reason="rate_limited"\} 1$/m)
})
