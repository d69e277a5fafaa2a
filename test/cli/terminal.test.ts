// The command line on a real terminal (pty), which python3 opens.
import { execFile, spawnSync } from 'node:child_process'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { clientClock } from '../../src/lib/clock.js'
import { type AgentActor, aCard, type Registry, startRegistry } from '../registry.js'
import { runningClock } from '../set-clock.js'
import { MAIN, newCommandLine, type Run } from './command-line.js'

const PYTHON = spawnSync('python3', ['-c', 'import fcntl, pty, termios']).status === 0 ? 'python3' : undefined
if (PYTHON === undefined) console.warn('SKIPPED: there is no python3 with the module pty, so the command line is not tried on a terminal')

let registry: Registry
let line: Awaited<ReturnType<typeof newCommandLine>>
let reader: AgentActor

beforeAll(async () => {
  if (PYTHON === undefined) return
  registry = await startRegistry({ clock: runningClock(), servers: 1 })
  line = await newCommandLine(registry)
  const acme = await registry.organisation('Acme')
  await line.administrator('default', acme)
  reader = await registry.agent({ registeredBy: acme, name: 'ocr', introductionPolicy: { mode: 'open' } })
  await reader.publish({ card: aCard(registry, { name: '文書を読む' }) })
  const globex = await registry.organisation('Globex')
  const planner = await registry.agent({
    registeredBy: globex,
    name: 'planner',
    ceiling: { rights: [{ audience: { anyAgent: true }, scope: 'ocr:read' }] },
  })
  await planner.publish({ card: aCard(registry, { name: 'Planner of Globex' }) })
  await planner.mutate('introductions.request', { to: reader.agentId, scopes: ['ocr:read'], purpose: 'read invoices' })
  for (let n = 1; n <= 27; n++) await acme.mutate('tasks.create', { description: `task ${n}` })
})
afterAll(async () => {
  await line?.[Symbol.asyncDispose]()
  await registry?.[Symbol.asyncDispose]()
})

const onTerminal = (
  args: readonly string[],
  { columns = 80, answers = [], env = {} }: { columns?: number; answers?: readonly string[]; env?: Readonly<Record<string, string>> } = {},
): Promise<Run> =>
  new Promise((done) => {
    const command = [
      resolve(import.meta.dirname, 'on-terminal.py'),
      String(columns),
      JSON.stringify(answers),
      process.execPath,
      MAIN,
      ...args,
    ]
    const environment = { PATH: process.env.PATH, TERM: 'xterm-256color', CREDENCE_HOME: line.home, ...env }
    execFile(PYTHON ?? '', command, { env: environment, timeout: 100_000 }, (error, out, err) =>
      done({ code: typeof error?.code === 'number' ? error.code : error ? -1 : 0, out, err }),
    )
  })

const ESCAPE = '\u001b'
/** The text as it stands on the screen: without styles, and without progress that a later text has replaced. */
const plain = (text: string): string =>
  text
    .replaceAll(new RegExp(`${ESCAPE}\\[[0-9;]*[A-Za-z]`, 'g'), '')
    .replaceAll(/[^\n]*\r(?=[^\n])/g, '')
    .replaceAll('\r', '')
/** Columns that a line takes; the test data has wide characters only in names of cards. */
const widthOf = (text: string): number => [...plain(text)].reduce((sum, one) => sum + (one > '\u2e80' ? 2 : 1), 0)

describe.skipIf(PYTHON === undefined)('on a terminal', () => {
  test.each([40, 80, 200])('a table fits a width of %i, and columns that do not fit are named', async (columns) => {
    const { code, out } = await onTerminal(['introduction', 'list'], { columns })
    const lines = plain(out).trimEnd().split('\n')
    const [head = '', row = ''] = lines
    expect([code, lines.filter((one) => !one.startsWith('(') && widthOf(one) > columns)]).toEqual([0, []])
    expect(row).toMatch(/^int_[\w-]{22} /)
    expect(head.startsWith('ID ')).toBe(true)
    expect(head.includes('PURPOSE')).toBe(columns === 200)
    expect(out.includes('the terminal is too narrow for: ')).toBe(columns < 200)
    if (columns === 200)
      expect(row).toMatch(/ received +granted +Planner of Globex +ocr +ocr:read +\d+ (s|min) ago +in \d+ d +read invoices$/)
  })

  test('a name in wide characters keeps the columns in line', async () => {
    const { out } = await onTerminal(['search', 'scanned', '--organisation', reader.orgId], { columns: 120 })
    const [head = '', row = ''] = plain(out).split('\n')
    const at = row.indexOf('signed')
    expect([row.includes('文書を読む'), widthOf(row.slice(0, at))]).toEqual([true, head.indexOf('VERDICT')])
  })

  test.each([
    [{}, true],
    [{ NO_COLOR: '1' }, false],
    [{ TERM: 'dumb' }, false],
    [{ NO_COLOR: '1', FORCE_COLOR: '1' }, true],
  ])('the environment %o gives colours: %s', async (env, expected) => {
    const { out } = await onTerminal(['agent', 'list'], { env })
    expect(out.includes(`${ESCAPE}[1m`)).toBe(expected)
    expect(plain(out)).toMatch(/active/)
  })

  test('a long list stops after a page, and goes on with Enter', async () => {
    const stopped = await onTerminal(['task', 'list'], { answers: ['q'] })
    expect(plain(stopped.out).match(/^tsk_/gm)).toHaveLength(20)
    expect(stopped.out).toContain('20 shown; Enter: more, q: stop')
    const whole = await onTerminal(['task', 'list'], { answers: [''] })
    expect(plain(whole.out).match(/^tsk_/gm)).toHaveLength(27)
    const all = await onTerminal(['task', 'list', '--all'])
    expect(plain(all.out).match(/^tsk_/gm)).toHaveLength(27)
  })

  test('an ending asks, and a name is asked for where it is for ever', async () => {
    const { items } = await line.json('introduction', 'list')
    const id = items[0].introductionId
    const no = await onTerminal(['introduction', 'revoke', id], { answers: ['n'] })
    expect([no.code, plain(no.out)]).toEqual([
      1,
      expect.stringMatching(/revokes introduction .*Go on\? \[y\/N\] n\n.*not confirmed: nothing was changed/s),
    ])
    const wrong = await onTerminal(['agent', 'revoke', 'ocr'], { answers: ['y'] })
    expect([wrong.code, plain(wrong.out)]).toEqual([
      1,
      expect.stringMatching(/introductions: 1 received, 0 requested.*Type "ocr" to go on/s),
    ])
    expect((await line.json('agent', 'show', 'ocr')).state).toBe('active')
    expect((await onTerminal(['agent', 'revoke', 'ocr'], { answers: ['ocr'] })).code).toBe(0)
    expect((await line.json('agent', 'show', 'ocr')).state).toBe('revoked')
  })

  test('what takes more than a second shows for how long, and the line is removed at the end', async () => {
    const slow = createServer((_, response) => void clientClock.after(2500).then(() => response.writeHead(404).end('{}')))
    await new Promise<void>((done) => slow.listen(0, '127.0.0.1', done))
    const { port } = slow.address() as AddressInfo
    const { code, out } = await onTerminal(['login', '--registry', `http://127.0.0.1:${port}`, '--code', 'A.B'])
    slow.close()
    expect([code, out]).toEqual([1, expect.stringMatching(/\rlogging in … 1 s\r *logging in … 2 s\r +\runavailable: /)])
  })

  test('a missing one-time code is asked for', async () => {
    const { code, out } = await onTerminal(['login', '--registry', registry.issuer, '--profile', 'new'], { answers: ['AAAA.BBBB'] })
    expect([code, out]).toEqual([1, expect.stringMatching(/one-time code: .*code_invalid: /s)])
  })
})
