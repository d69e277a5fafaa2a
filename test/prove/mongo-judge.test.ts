// The judge accepts a correct history, and detects each planted fault by the expected rule.
import { expect, test } from 'vitest'

interface Revocation {
  readonly name: string
  readonly jti?: string
  readonly handle?: string
  ackedAt: number
}
interface History {
  limitMs: number
  revoked: Revocation[]
  issued: { jti: string; dependsOn: string[]; sentAt: number; receivedAt: number }[]
  introspected: { jti: string; active: boolean; sentAt: number; receivedAt: number }[]
  races: { what: string; winners: number }[]
  published: { version: number; text: string }[]
  granted: string[]
  requests: { what: string; ms: number }[]
  streams: {
    name: string
    from: number
    events: { prev: number; last: number; revoked: string[] }[]
    resets: string[]
    syncs: { sentAt: number; position: number }[]
  }[]
  log: { n: number; first: number; entries: { id: string; seq: number; ends: { handle: string }[] }[] }[]
  logReads: { instance: string; entries: { seq: number; id: string }[] }[]
  final: { version: number; records: Set<string>; audited: Set<string>; active: Set<string>; introductions: Set<string>; errors: string[] }
}

const { judge }: { judge(history: History): string[] } = await import(`./mongo/${'judge'}.mjs`)

const block = (n: number, first: number, ...ends: readonly (readonly string[])[]): History['log'][number] => ({
  n,
  first,
  entries: ends.map((handles, i) => ({ id: `entry ${first + i}`, seq: first + i, ends: handles.map((handle) => ({ handle })) })),
})

/** Token a is revoked at 100 (and introspected before, meanwhile and after), token b is valid, task t ends at 200 and token c depends on it. */
const correctHistory = (): History => ({
  limitMs: 1000,
  revoked: [
    { name: 'token a', jti: 'a', handle: 'tok:a', ackedAt: 100 },
    { name: 'task t', ackedAt: 200 },
    { name: 'introduction i', ackedAt: 300 },
  ],
  issued: [
    { jti: 'a', dependsOn: ['token a'], sentAt: 10, receivedAt: 20 },
    { jti: 'b', dependsOn: ['token b'], sentAt: 10, receivedAt: 20 },
    // Requested before the end of its task was acknowledged, issued after: inactive because it depends on the task
    { jti: 'c', dependsOn: ['token c', 'task t'], sentAt: 190, receivedAt: 210 },
  ],
  introspected: [
    { jti: 'a', active: true, sentAt: 30, receivedAt: 40 },
    { jti: 'a', active: true, sentAt: 99, receivedAt: 120 },
    { jti: 'a', active: false, sentAt: 101, receivedAt: 110 },
    { jti: 'b', active: true, sentAt: 500, receivedAt: 510 },
    { jti: 'c', active: false, sentAt: 220, receivedAt: 230 },
  ],
  races: [{ what: 'one assertion', winners: 1 }],
  published: [
    { version: 2, text: 'two' },
    { version: 3, text: 'three' },
  ],
  granted: ['introduction j'],
  requests: [{ what: '/oauth/token', ms: 900 }],
  streams: [
    {
      name: 's',
      from: 0,
      events: [
        { prev: 0, last: 2, revoked: ['tok:a', 'tsk:t', 'tok:x'] },
        { prev: 2, last: 3, revoked: ['int:i'] },
      ],
      resets: [],
      syncs: [
        { sentAt: 99, position: 0 },
        { sentAt: 250, position: 2 },
      ],
    },
  ],
  log: [block(0, 0, []), block(1, 1, ['tok:a'], ['tsk:t', 'tok:x']), block(2, 3, ['int:i'])],
  logReads: [{ instance: '0', entries: [{ seq: 1, id: 'entry 1' }] }],
  final: {
    version: 3,
    records: new Set(['a', 'b', 'c']),
    audited: new Set(['tok:a']),
    active: new Set(),
    introductions: new Set(['introduction j']),
    errors: [],
  },
})

test('the judge finds no fault in a correct history', () => {
  expect(judge(correctHistory())).toEqual([])
})

const first = <T>(list: readonly T[]): T => {
  const [one] = list
  if (one === undefined) throw new Error('the history has none')
  return one
}

test.each<[string, string, (history: History) => unknown]>([
  ['w:1: an acknowledged block is rolled back', 'durability', ({ log }) => log.splice(1, 1, block(1, 1, [], ['tsk:t', 'tok:x']))],
  ['w:1: the record of a token is rolled back', 'durability', ({ final }) => final.records.delete('b')],
  ['a block outside the transaction: an ending without its audit row', 'durability', ({ final }) => final.audited.delete('tok:a')],
  [
    'local reads: an entry is served that is later rolled back',
    'log-reads',
    ({ logReads }) => first(logReads).entries.push({ seq: 4, id: 'unknown entry' }),
  ],
  ['check, then insert: an assertion is accepted twice', 'single-use', ({ races }) => races.push({ what: 'one assertion', winners: 2 })],
  [
    'check, then insert: two cards are published as one version',
    'single-use',
    ({ published }) => published.push({ version: 3, text: 'another three' }),
  ],
  [
    'a head that was read before the request: active after the acknowledgement',
    'revocations',
    ({ introspected }) => introspected.push({ jti: 'a', active: true, sentAt: 100.1, receivedAt: 105 }),
  ],
  [
    'a write between the decision and the response: active 3.3 s after the acknowledgement',
    'revocations',
    ({ introspected }) => introspected.push({ jti: 'a', active: true, sentAt: 99, receivedAt: 3400 }),
  ],
  [
    'a write between the decision and the response: a token is issued 3.3 s after its task has ended',
    'revocations',
    ({ issued, final }) => {
      issued.push({ jti: 'e', dependsOn: ['token e', 'task t'], sentAt: 199, receivedAt: 3500 })
      final.records.add('e')
    },
  ],
  [
    'a head that was read before the request: a token is issued for a task that has ended',
    'revocations',
    ({ issued, final }) => {
      issued.push({ jti: 'd', dependsOn: ['token d', 'task t'], sentAt: 201, receivedAt: 220 })
      final.records.add('d')
    },
  ],
  [
    'the head of a deposed primary: synced without an acknowledged revocation',
    'freshness',
    ({ streams }) => first(streams).syncs.push({ sentAt: 260, position: 0 }),
  ],
  [
    'an unacknowledged block is applied: inactive, then active again',
    'revocations',
    ({ introspected }) =>
      introspected.push(
        { jti: 'b', active: false, sentAt: 300, receivedAt: 310 },
        { jti: 'b', active: true, sentAt: 311, receivedAt: 320 },
      ),
  ],
  [
    'an unacknowledged block is applied: a subscriber receives an entry that is not in the log',
    'feed',
    ({ streams }) => first(streams).events.push({ prev: 3, last: 4, revoked: ['tok:b'] }),
  ],
  [
    'a retry that appends twice',
    'log',
    ({ log, streams }) => {
      log.push({ n: 3, first: 4, entries: [{ id: 'entry 3', seq: 4, ends: [{ handle: 'int:i' }] }] })
      first(streams).events.push({ prev: 3, last: 4, revoked: ['int:i'] })
    },
  ],
  ['a block is missing', 'log', ({ log }) => log.splice(1, 1)],
  ['a subscriber misses a block', 'feed', ({ streams }) => first(streams).events.splice(0, 1)],
  ['a subscriber misses a handle of a block', 'feed', ({ streams }) => first(first(streams).events).revoked.pop()],
  ['a subscriber receives a block twice', 'feed', ({ streams }) => first(streams).events.push({ prev: 2, last: 3, revoked: ['int:i'] })],
  ['a subscriber has to start again', 'feed', ({ streams }) => first(streams).resets.push('reset other_history')],
  ['acknowledged before the append', 'durability', ({ final }) => final.active.add('a')],
  ['a revoked introduction is granted again', 'durability', ({ final }) => final.introductions.add('introduction i')],
  ['a granted introduction is missing', 'durability', ({ final }) => final.introductions.delete('introduction j')],
  ['an instance refuses every request', 'durability', ({ final }) => final.errors.push('503 the log cannot be read')],
  ['a version of a card is missing', 'durability', ({ final }) => Object.assign(final, { version: 2 })],
  ['no time-outs', 'latency', ({ requests }) => requests.push({ what: '/oauth/token', ms: 33_000 })],
])('the judge detects: %s', (_, rule, plant) => {
  const history = correctHistory()
  plant(history)
  const faults = judge(history)
  expect(faults.length).toBeGreaterThan(0)
  expect(faults.some((fault) => fault.startsWith(`${rule}: `))).toBe(true)
})
