// The alerts of docs/dashboards/alerts.yml and the commands of docs/OPERATIONS.md, against registries that run.
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { witnessFile } from '../../src/trust-log/witness/file.js'
import { spawnNode } from '../child.mjs'
import { MAIN } from '../cli/command-line.js'
import { freePort } from '../free-port.mjs'
import { type Registry, startRegistry } from '../registry.js'
import { tempFolder } from '../storage/open-store.js'

const ROOT = join(import.meta.dirname, '../..')
const { groups } = parse(readFileSync(join(ROOT, 'docs/dashboards/alerts.yml'), 'utf8')) as {
  groups: { rules: { alert: string; expr: string }[] }[]
}
const rules = groups.flatMap((group) => group.rules)

/** Whether a rule holds for these metrics; undefined for a rule about a course of time, which promtool tests. */
function holds(expr: string, metrics: ReadonlyMap<string, number>): boolean | undefined {
  const [, absent] = /^absent\((\w+)\)$/.exec(expr) ?? []
  if (absent !== undefined) return !metrics.has(absent)
  if (/[({[]/.test(expr)) return undefined
  return expr.split(' or ').some((some) =>
    some.split(' and ').every((atom) => {
      const [, name = '', operator, number] = /^(\w+) (==|<|>) ([\de.]+)$/.exec(atom) ?? []
      const [value, limit] = [metrics.get(name), Number(number)]
      if (operator === undefined) throw new Error(`this test does not understand ${atom}`)
      return value !== undefined && (operator === '==' ? value === limit : operator === '<' ? value < limit : value > limit)
    }),
  )
}
const adminText = async ({ servers }: Registry, path: string) => (await fetch(`http://127.0.0.1:${servers[0]?.adminPort}${path}`)).text()
/** The alerts that hold now. Those of the disk depend on the machine of the test. */
const alertsOf = async (registry: Registry): Promise<readonly string[]> => {
  const samples = (await adminText(registry, '/metrics')).matchAll(/^(\w+) (\S+)$/gm)
  const metrics = new Map([...samples].map(([, name = '', value]) => [name, Number(value)]))
  return rules.filter(({ alert, expr }) => !alert.startsWith('CredenceDisk') && holds(expr, metrics)).map(({ alert }) => alert)
}

test('no alert holds for a healthy registry; a lost witness and a wrong clock raise theirs, and /readyz says why', async () => {
  await using folder = await tempFolder()
  const [there, gone] = ['witness', 'gone'].map((name) => join(folder.path, name)) as [string, string]
  await using registry = await startRegistry({ servers: 1, witness: witnessFile(join(there, 'head.json')), clockMode: 'checked' })
  const polled = (seconds: number) => {
    registry.clock.advance(seconds)
    return alertsOf(registry)
  }
  await expect.poll(() => polled(1)).toEqual([])
  expect(rules.filter(({ expr }) => holds(expr, new Map()) !== undefined).length).toBeGreaterThanOrEqual(10)
  expect(rules.filter(({ expr }) => holds(expr, new Map())).map(({ alert }) => alert)).toEqual(['CredenceDown'])

  renameSync(there, gone)
  writeFileSync(there, '')
  await registry.organisation('Acme')
  await expect.poll(() => polled(1)).toEqual(['CredenceWitnessBehind'])
  registry.clock.advance(301)
  await expect.poll(() => alertsOf(registry)).toEqual(['CredenceNotReady', 'CredenceWitnessBehind'])
  expect(await adminText(registry, '/readyz')).toMatch(/^not ready: the witness .*head\.json could not be updated/)
  renameSync(there, join(folder.path, 'blocker'))
  renameSync(gone, there)
  await expect.poll(() => polled(1)).toEqual([])

  registry.clock.step(3600)
  await expect.poll(() => polled(1)).toEqual(expect.arrayContaining(['CredenceNotReady', 'CredenceClock']))
  expect(await adminText(registry, '/readyz')).toMatch(/^not ready: the clock of this machine says/)
})

test('an alert holds for one instance that is not scraped, under the job name of the scrape configurations', () => {
  const { expr = '' } = rules.find(({ alert }) => alert === 'CredenceInstanceDown') ?? {}
  const [, job] = /^up\{job="(\w+)"\} == 0$/.exec(expr) ?? []
  for (const file of ['deploy/prometheus.yml', 'docs/OPERATIONS.md'])
    expect(/job_name: (\w+)/.exec(readFileSync(join(ROOT, file), 'utf8'))?.[1], file).toBe(job)
})

/** The commands in the table of alerts, which docs/OPERATIONS.md writes for the places of a usual registry. */
const [, section = ''] = /\n## Alerts\n(.*?)\n## /s.exec(readFileSync(join(ROOT, 'docs/OPERATIONS.md'), 'utf8')) ?? []
const TOOLS = ['curl', 'df', 'du', 'findmnt', 'iostat', 'journalctl', 'ls', 'mongosh', 'npx', 'timedatectl', 'top']
const commands = [...section.matchAll(/`([^`]+)`/g)]
  .map(([, text = '']) => text.replaceAll('\\|', '|'))
  .filter((text) => TOOLS.includes(text.split(' ')[0] ?? ''))

/** These need a service that a test machine may lack, or another registry. */
const NOT_RUN = /^(iostat|journalctl|mongosh|timedatectl|npx)|b\.example/

test('each command of the table of alerts works beside a registry that runs', async () => {
  await using folder = await tempFolder()
  const [data, etc] = ['data', 'etc'].map((name) => join(folder.path, name)) as [string, string]
  mkdirSync(etc)
  const [port, adminPort] = [await freePort(), await freePort()]
  const args = [
    'serve',
    '--dev',
    '--data',
    data,
    '--witness',
    join(etc, 'witness.json'),
    '--port',
    `${port}`,
    '--admin-port',
    `${adminPort}`,
  ]
  const child = spawnNode([MAIN, ...args], { stdio: ['ignore', 'pipe', 'ignore'], env: { PATH: process.env.PATH } })
  try {
    for await (const chunk of child.stdout.iterator({ destroyOnReturn: false })) if (String(chunk).includes('serving')) break
    child.stdout.resume()
    await fetch(`http://127.0.0.1:${port}/trpc/agents.list`)
    expect(commands.length).toBeGreaterThan(12)
    const missing: string[] = []
    for (const command of commands) {
      expect(spawnSync('bash', ['-n', '-c', command]).stderr.toString(), command).toBe('')
      const here = command
        .replaceAll('127.0.0.1:4001', `127.0.0.1:${adminPort}`)
        .replaceAll('/var/lib/credence', data)
        .replaceAll('/var/lib', data)
        .replaceAll('/etc/credence', etc)
        .replace('top -H', 'top -b -n1 -H')
        // Other registries may run on a test machine
        .replace(" serve')", ` serve.*${data}')`)
      const lacks = here.split(/[;|] */).map((part) => part.split(' ')[0] ?? '')
      if (NOT_RUN.test(command)) continue
      if (lacks.some((tool) => /^[a-z]+$/.test(tool) && spawnSync('which', [tool]).status !== 0)) {
        missing.push(command)
        continue
      }
      const { status, stdout, stderr } = spawnSync('bash', ['-o', 'pipefail', '-c', here], { encoding: 'utf8' })
      expect([status, stderr, stdout.trim() !== ''], `${here}: ${stdout}${stderr}`).toEqual([0, '', true])
      if (command.startsWith('top')) expect(stdout).toMatch(new RegExp(`^ *${child.pid} `, 'm'))
    }
    if (missing.length > 0) console.warn(`\n*** NOT RUN, because a program is missing: ${missing.join(' / ')} ***\n`)
  } finally {
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
})
