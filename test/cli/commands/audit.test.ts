import { expect, test } from 'vitest'
import { auditStore } from '../../../src/audit/store.js'
import { timeOf } from '../../../src/cli/context.js'
import { newProfiles } from '../../../src/cli/profile.js'
import { joinRegistry } from '../../../src/client/index.js'
import { newPrivateJwk, signerFromJwk } from '../../../src/credentials/jose/sign.js'
import { eventually } from '../../eventually.js'
import { startRegistry } from '../../registry.js'
import { runningClock } from '../../set-clock.js'
import { tempFolder } from '../../storage/open-store.js'
import { newCommandLine, runCommand } from '../command-line.js'

test.each([
  ['2h', 1_000_000 - 7200],
  ['2026-01-31', Date.UTC(2026, 0, 31) / 1000],
  ['2026-01-31T12:00:00Z', Date.UTC(2026, 0, 31, 12) / 1000],
  ['2026-01-31T12:00+02:00', Date.UTC(2026, 0, 31, 10) / 1000],
])('the time %s is %i', (text, expected) => {
  expect(timeOf(text, 1_000_000)).toBe(expected)
})

test.each([
  'yesterday',
  '2h ago',
  '2026-13-01',
  '2026-01-31 12:00',
  '2026-01-31T12:00',
  '-2h',
  '',
  '1767225600',
])('%j is not a time', (text) => {
  expect(() => timeOf(text, 1_000_000)).toThrow(/not a time/)
})

test('credence audit export prints one event a line and goes on after the last one; --since and the filters select', async () => {
  await using registry = await startRegistry({ clock: runningClock(), servers: 1 })
  await using folder = await tempFolder()
  const acme = await registry.organisation('Acme')
  const { code } = await acme.mutate<{ code: string }>('members.invite', { orgId: acme.orgId, role: 'administrator' })
  const privateJwk = { ...(await newPrivateJwk('ES256')) }
  const signer = await signerFromJwk(privateJwk)
  const { memberId } = await joinRegistry({ issuer: registry.issuer, code, name: 'Ada', signer })
  newProfiles(folder.path).write('default', { registry: registry.issuer, clientId: memberId, privateJwk })
  const run = async (...args: readonly string[]) => {
    const { code, out, err } = await runCommand(['audit', ...args, '--home', folder.path])
    return code === 0 ? out : Promise.reject({ stderr: err })
  }
  const exported = async (...args: readonly string[]) =>
    (await run('export', '--action', 'tasks.create', ...args))
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line))
  /** Exports once the events so far count as settled, for which the registry would take most of a minute. */
  const settledExport = async (count: number, ...args: readonly string[]) =>
    eventually(async () => {
      const { writers } = auditStore(registry.storage)
      for (const { id } of (await writers.find('unlinked', { where: { hasUnlinkedRows: true }, limit: 9 })).items)
        await writers.change(id, {}, { settledUntil: registry.clock.now() + 100 })
      const rows = await exported(...args)
      expect(rows).toHaveLength(count)
      return rows
    })
  const tasks = async (count: number) => {
    for (let i = 0; i < count; i++) await acme.tasks.create({ description: 'x' })
  }
  await tasks(3)
  expect(await exported(), 'the events are not settled yet').toEqual([])
  const first = await settledExport(3)
  await tasks(2)
  const ids = [...first, ...(await settledExport(2, '--after', first.at(-1).cursor))].map(({ auditId }) => auditId)
  expect([ids.length, new Set(ids).size]).toEqual([5, 5])
  expect(await exported('--until', '1h')).toEqual([])
  expect(JSON.parse(await run('--actor', acme.clientId, '--action', 'tasks.create', '--since', '1h', '--json')).items).toHaveLength(5)
})

test('audit retention asks before events are removed, says how many, and does not ask if none is', async () => {
  await using registry = await startRegistry({ clock: runningClock(), servers: 1 })
  await using line = await newCommandLine(registry)
  const acme = await registry.organisation('Acme')
  await line.administrator('Ada', acme)
  const retention = (...args: readonly string[]) => line.run(['audit', 'retention', ...args, '--profile', 'ada', '--json'])
  const shown = async () => JSON.parse((await retention()).out)
  const refused = await retention('--days', '90')
  expect([refused.code, refused.err]).toEqual([2, expect.stringContaining('add --yes, or --dry-run')])
  expect(await shown()).toMatchObject({ days: null })

  await acme.tasks.create({ description: 'of today' })
  const none = JSON.parse((await retention('--days', '90', '--dry-run', '--yes')).out)
  expect(none).toMatchObject({ dryRun: true, removes: expect.stringMatching(/before \d{4}-.*T00:00:00/), endsWithIt: { 'events now': 0 } })
  const rows = (await auditStore(registry.storage).rows.find('organisation', { where: { orgIds: acme.orgId }, limit: 1000 })).items
  for (const { id, createdAt } of rows.slice(0, 3))
    await auditStore(registry.storage).rows.change(id, {}, { createdAt: createdAt - 100 * 86_400 })
  expect(JSON.parse((await retention('--days', '90', '--dry-run')).out).endsWithIt).toEqual({ 'events now': 3 })
  expect(await shown()).toMatchObject({ days: null })

  expect(JSON.parse((await retention('--days', '90', '--yes')).out)).toMatchObject({ days: 90, minimumDays: 30 })
  expect((await retention('--days', '60')).code).toBe(2)
  // Nothing more is removed by a longer time
  expect(JSON.parse((await retention('--days', '200', '--dry-run')).out)).toEqual({ dryRun: true, removes: 'no event' })
  expect(JSON.parse((await retention('--days', '200')).out)).toMatchObject({ days: 200 })
  expect(JSON.parse((await retention('--days', 'forever')).out)).toMatchObject({ days: null })
  expect((await retention('--days', '7', '--yes')).err).toContain('at least 30 days')
  expect((await retention('--days', 'soon', '--yes')).code).toBe(2)
})

test('a lower minimum asks too, if the organisation may have set less', async () => {
  await using registry = await startRegistry({ clock: runningClock(), servers: 1 })
  await using line = await newCommandLine(registry)
  const acme = await registry.organisation('Acme')
  await line.administrator('Ada', acme)
  await line.administrator('Operator', registry.operator, registry.operator.orgId, 'operator')
  const retention = (...args: readonly string[]) => line.run(['audit', 'retention', ...args, '--json'])
  const minimum = (...args: readonly string[]) => retention('--org', acme.orgId, '--profile', 'operator', '--minimum-days', ...args)
  expect((await retention('--days', '40', '--profile', 'ada', '--yes')).code).toBe(0)
  expect(JSON.parse((await minimum('365')).out)).toMatchObject({ days: 365, minimumDays: 365 })
  expect(JSON.parse((await minimum('none', '--dry-run')).out).removes).toMatch(/^the audit events of org_/)
  expect((await minimum('100')).code).toBe(2)
  expect(JSON.parse((await minimum('none', '--yes')).out)).toMatchObject({ days: 40, minimumDays: 30 })
  expect(JSON.parse((await minimum('none')).out)).toMatchObject({ days: 40 })
})
