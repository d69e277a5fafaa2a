// The judge of recorded histories finds a sound one sound, and each planted fault by the rule that is there for it.
import { expect, test } from 'vitest'

interface Ending {
  readonly name: string
  readonly jti?: string
  readonly handle?: string
  ackedAt: number
}
interface History {
  limitMs: number
  ended: Ending[]
  issued: { jti: string; on: string[]; sentAt: number; at: number }[]
  asked: { jti: string; active: boolean; sentAt: number; at: number }[]
  races: { what: string; winners: number }[]
  published: { version: number; text: string }[]
  granted: string[]
  requests: { what: string; ms: number }[]
  streams: {
    name: string
    from: number
    events: { prev: number; last: number; ended: string[] }[]
    resets: string[]
    syncs: { sentAt: number; at: number }[]
  }[]
  log: { n: number; first: number; entries: { id: string; seq: number; ends: { handle: string }[] }[] }[]
  views: { instance: string; entries: { seq: number; id: string }[] }[]
  found: { version: number; records: Set<string>; active: Set<string>; introductions: Set<string>; silent: string[] }
}

const { judge }: { judge(history: History): string[] } = await import(`./mongo/${'judge'}.mjs`)

const block = (n: number, first: number, ...ends: readonly (readonly string[])[]): History['log'][number] => ({
  n,
  first,
  entries: ends.map((handles, i) => ({ id: `entry ${first + i}`, seq: first + i, ends: handles.map((handle) => ({ handle })) })),
})

/** Token a was ended at 100 (asked while it ended, and after), token b lives, task t ended at 200 with token c on it. */
const sound = (): History => ({
  limitMs: 1000,
  ended: [
    { name: 'token a', jti: 'a', handle: 'tok:a', ackedAt: 100 },
    { name: 'task t', ackedAt: 200 },
    { name: 'introduction i', ackedAt: 300 },
  ],
  issued: [
    { jti: 'a', on: ['token a'], sentAt: 10, at: 20 },
    { jti: 'b', on: ['token b'], sentAt: 10, at: 20 },
    // Asked for before the end of its task was acknowledged, given after: dead by what it stands on
    { jti: 'c', on: ['token c', 'task t'], sentAt: 190, at: 210 },
  ],
  asked: [
    { jti: 'a', active: true, sentAt: 30, at: 40 },
    { jti: 'a', active: true, sentAt: 99, at: 120 },
    { jti: 'a', active: false, sentAt: 101, at: 110 },
    { jti: 'b', active: true, sentAt: 500, at: 510 },
    { jti: 'c', active: false, sentAt: 220, at: 230 },
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
        { prev: 0, last: 2, ended: ['tok:a', 'tsk:t', 'tok:x'] },
        { prev: 2, last: 3, ended: ['int:i'] },
      ],
      resets: [],
      syncs: [
        { sentAt: 99, at: 0 },
        { sentAt: 250, at: 2 },
      ],
    },
  ],
  log: [block(0, 0, []), block(1, 1, ['tok:a'], ['tsk:t', 'tok:x']), block(2, 3, ['int:i'])],
  views: [{ instance: '0', entries: [{ seq: 1, id: 'entry 1' }] }],
  found: { version: 3, records: new Set(['a', 'b', 'c']), active: new Set(), introductions: new Set(['introduction j']), silent: [] },
})

test('a sound history is found sound', () => {
  expect(judge(sound())).toEqual([])
})

const first = <T>(list: readonly T[]): T => {
  const [one] = list
  if (one === undefined) throw new Error('the history has none')
  return one
}

test.each<[string, string, (history: History) => unknown]>([
  ['w:1: what was acknowledged is rolled back', 'kept', ({ log }) => log.splice(1, 1, block(1, 1, [], ['tsk:t', 'tok:x']))],
  ['w:1: a token whose record is rolled back', 'kept', ({ found }) => found.records.delete('b')],
  [
    'local reads: an entry is shown that is later rolled back',
    'views',
    ({ views }) => first(views).entries.push({ seq: 4, id: 'entry of nobody' }),
  ],
  ['check, then insert: two win', 'once', ({ races }) => races.push({ what: 'one assertion', winners: 2 })],
  ['check, then insert: one version, two cards', 'once', ({ published }) => published.push({ version: 3, text: 'another three' })],
  [
    'the head was read before the request: active after the acknowledgement',
    'endings',
    ({ asked }) => asked.push({ jti: 'a', active: true, sentAt: 100.1, at: 105 }),
  ],
  [
    'the head was read before the request: a token is given on a task that has ended',
    'endings',
    ({ issued, found }) => {
      issued.push({ jti: 'd', on: ['token d', 'task t'], sentAt: 201, at: 220 })
      found.records.add('d')
    },
  ],
  [
    'the head of a deposed primary: all is said, and it is not',
    'fresh',
    ({ streams }) => first(streams).syncs.push({ sentAt: 260, at: 0 }),
  ],
  [
    'an unacknowledged block is applied: dead, then active again',
    'endings',
    ({ asked }) => asked.push({ jti: 'b', active: false, sentAt: 300, at: 310 }, { jti: 'b', active: true, sentAt: 311, at: 320 }),
  ],
  [
    'an unacknowledged block is applied: a subscriber was told of what is not in the log',
    'streams',
    ({ streams }) => first(streams).events.push({ prev: 3, last: 4, ended: ['tok:b'] }),
  ],
  [
    'a retry that appends twice',
    'blocks',
    ({ log, streams }) => {
      log.push({ n: 3, first: 4, entries: [{ id: 'entry 3', seq: 4, ends: [{ handle: 'int:i' }] }] })
      first(streams).events.push({ prev: 3, last: 4, ended: ['int:i'] })
    },
  ],
  ['a block is missing', 'blocks', ({ log }) => log.splice(1, 1)],
  ['a subscriber is left out', 'streams', ({ streams }) => first(streams).events.splice(0, 1)],
  ['a subscriber is told of a part', 'streams', ({ streams }) => first(first(streams).events).ended.pop()],
  ['a subscriber is told twice', 'streams', ({ streams }) => first(streams).events.push({ prev: 2, last: 3, ended: ['int:i'] })],
  ['a subscriber begins anew', 'streams', ({ streams }) => first(streams).resets.push('reset other_history')],
  ['acknowledged before it stands', 'kept', ({ found }) => found.active.add('a')],
  ['an introduction that was ended stands again', 'kept', ({ found }) => found.introductions.add('introduction i')],
  ['an introduction that was granted is missing', 'kept', ({ found }) => found.introductions.delete('introduction j')],
  ['an instance that trusts nothing any more', 'kept', ({ found }) => found.silent.push('503 the log cannot be read')],
  ['a version of a card is missing', 'kept', ({ found }) => Object.assign(found, { version: 2 })],
  ['the time-outs of the driver', 'times', ({ requests }) => requests.push({ what: '/oauth/token', ms: 33_000 })],
])('%s', (_, rule, plant) => {
  const history = sound()
  plant(history)
  const found = judge(history)
  expect(found.length).toBeGreaterThan(0)
  expect(found.some((fault) => fault.startsWith(`${rule}: `))).toBe(true)
})
