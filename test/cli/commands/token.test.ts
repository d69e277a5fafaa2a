import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Registry, startRegistry } from '../../registry.js'
import { runningClock } from '../../set-clock.js'
import { aPair, type Pair } from '../../stories/actors.js'
import { newCommandLine } from '../command-line.js'

let registry: Registry
let pair: Pair
let line: Awaited<ReturnType<typeof newCommandLine>>
beforeAll(async () => {
  registry = await startRegistry({ clock: runningClock(), servers: 1 })
  pair = await aPair(registry)
  line = await newCommandLine(registry)
  await line.administrator('Default', pair.globex)
})
afterAll(async () => {
  await registry[Symbol.asyncDispose]()
})

const aToken = async (taskId?: string) =>
  (await pair.planner.exchange({ audience: pair.ocr.audience, ...(taskId && { taskId }) })).accessToken

test('token list shows the tokens of a client, and those of this member by default', async () => {
  await aToken()
  const listed = await line.json('token', 'list', '--client', pair.planner.agentId, '--alive')
  expect(listed.items.map(({ audience }: { audience: string }) => audience)).toContain(pair.ocr.audience)
  expect((await line.json('token', 'list')).items.length).toBeGreaterThan(0)
  const { code, err } = await line.run(['token', 'list', '--client', pair.planner.agentId, '--audience', pair.ocr.audience])
  expect([code, err]).toEqual([2, expect.stringContaining('cannot be used with')])
})

test('token verify reads the token from standard input and from the environment, never from a file of its own', async () => {
  const { taskId } = await pair.planner.tasks.create({ description: 'x' })
  const token = await aToken(taskId)
  const args = ['token', 'verify', '--scope', 'ocr:read', '--task', taskId, '--json']
  for (const options of [{ input: `${token}\n` }, { env: { CREDENCE_TOKEN: token } }]) {
    const { code, out } = await line.run(args, options)
    expect([code, JSON.parse(out)]).toMatchObject([0, { isValid: true, taskContextValid: true, task: { id: taskId } }])
  }
  expect((await line.run(args, { input: '' })).code).toBe(2)
})

test('token revoke --task names the tasks in a dry run, and ends them with the token', async () => {
  const { taskId } = await pair.planner.tasks.create({ description: 'x' })
  const { jti } = await pair.planner.introspect(await aToken(taskId))
  const args = ['token', 'revoke', String(jti), '--task', taskId, '--reason', 'suspicious_task_pattern']
  expect(await line.json(...args, '--dry-run')).toMatchObject({ dryRun: true, endsWithIt: { tasks: taskId } })
  expect((await pair.planner.tasks.get(taskId)).state).toBe('active')
  expect(await line.json(...args, '--yes')).toMatchObject({ revoked: true, tasks: [taskId] })
  expect(await pair.planner.tasks.get(taskId)).toMatchObject({ state: 'ended', reason: 'suspicious_task_pattern' })
})
