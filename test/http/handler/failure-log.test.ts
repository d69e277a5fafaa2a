// The error behind a refused request is for the operator: it is logged, and no response has it.
import { expect, test } from 'vitest'
import { Refusal } from '../../../src/errors.js'
import { newFailureLog } from '../../../src/http/handler/failure-log.js'
import { type Log, silentLog } from '../../../src/lib/log.js'
import { startRegistry } from '../../registry.js'
import { setClock } from '../../set-clock.js'
import type { Gate } from '../../trust-log/gated-storage.js'

function recorder() {
  const lines: (readonly [string, Parameters<Log['warn']>[1]])[] = []
  const log: Log = { ...silentLog, warn: (text, fields) => void lines.push([text, fields]) }
  return { lines, log }
}
const failure = () => new Refusal('unavailable', 'the store is not reachable', { cause: new Error('connection to db-1 timed out\nmore') })

test('one line is logged in ten seconds, with the number of those that were left out; a refusal without a cause is none', () => {
  const { lines, log } = recorder()
  const clock = setClock()
  const logFailure = newFailureLog({ log, clock })
  logFailure(new Refusal('unavailable', 'too many requests wait'))
  logFailure(new Error('a bug'))
  for (let i = 0; i < 1000; i++) logFailure(failure(), { 'request.id': String(i) })
  clock.advance(10)
  logFailure(failure(), { 'request.id': 'later' })
  const line = { reason: 'the store is not reachable', cause: 'connection to db-1 timed out' }
  expect(lines).toEqual([
    ['a request failed', { ...line, 'request.id': '0', left_out: 0 }],
    ['a request failed', { ...line, 'request.id': 'later', left_out: 999 }],
  ])
})

test('an endpoint and a call whose store fails get 503 without the cause, which is in the log', async () => {
  const { lines, log } = recorder()
  await using registry = await startRegistry({ servers: 1, log })
  const agent = await registry.agent()
  let fails = false
  const gate: Gate = async (name, work) => {
    if (fails && name === 'cards.get') throw failure()
    return work()
  }
  const { port } = await registry.addServer(gate)
  fails = true
  const url = `http://127.0.0.1:${port}`
  for (const path of [
    `/agents/${agent.agentId}/card`,
    `/trpc/cards.get?input=${encodeURIComponent(JSON.stringify({ agentId: agent.agentId }))}`,
  ]) {
    const before = lines.length
    const response = await fetch(url + path)
    const text = await response.text()
    expect([response.status, text.includes('the store is not reachable'), text.includes('db-1')], text).toEqual([503, true, false])
    expect(lines.slice(before)).toMatchObject([
      ['a request failed', { cause: 'connection to db-1 timed out', 'request.id': expect.any(String) }],
    ])
    registry.clock.advance(10)
  }
})
