// Each benchmark runs and prints its results in its last line. The tests assert no speed.
import { once } from 'node:events'
import { resolve } from 'node:path'
import { expect, test } from 'vitest'
import { spawnNode } from '../child.mjs'

const run = async (args: readonly string[]): Promise<{ code: number | null; lines: string[] }> => {
  const child = spawnNode([resolve(import.meta.dirname, '../../bench/main.js'), ...args], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  let text = ''
  child.stdout.on('data', (data) => {
    text += data
  })
  const [code] = await once(child, 'close')
  return { code, lines: text.trim().split('\n') }
}

test.each([
  'exchange',
  'refresh',
  'verify',
  'push',
  'catch-up',
  'log-verify',
  'search',
  'relevance',
  'growth',
  'trpc',
  'fair',
  'capability',
  'console',
])('%s runs, and its last line is JSON with figures and goals', async (name) => {
  const { code, lines } = await run([name, '--quick'])
  expect(code).toBe(0)
  const { bench, figures, goals, met } = JSON.parse(lines.at(-1) ?? '')
  expect(bench).toBe(name)
  expect(Object.keys(goals).length).toBeGreaterThan(0)
  for (const [goal, { value }] of Object.entries<{ value: number }>(goals)) expect(figures[goal]).toBe(value)
  expect(met).toBe(Object.values<{ met: boolean }>(goals).every((goal) => goal.met))
})

test('the name of an unknown benchmark exits with code 2', async () => {
  expect((await run(['nonsense'])).code).toBe(2)
})
