// The files of deploy/ are parsed and compared with each other and with the product. Where a container daemon answers, the image is built and started.
import { execFile, spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { parseConfig } from '../../src/server/config.js'
import { tempFolder } from '../storage/open-store.js'

const ROOT = resolve(import.meta.dirname, '../..')
const textOf = (file: string): string => readFileSync(join(ROOT, 'deploy', file), 'utf8')
const hasTool = (name: string): boolean => spawnSync('which', [name]).status === 0
const notRun = (what: string, why: string): void => console.warn(`\n*** ${what} DID NOT RUN: ${why} ***\n`)

interface Service {
  readonly image?: string
  readonly build?: { readonly context: string; readonly dockerfile: string }
  readonly read_only?: boolean
  readonly cap_drop?: readonly string[]
  readonly security_opt?: readonly string[]
  readonly mem_limit?: string
  readonly ports?: readonly string[]
  readonly volumes?: readonly string[]
  readonly configs?: readonly { readonly source: string; readonly target: string }[]
  readonly networks?: readonly string[] | Readonly<Record<string, unknown>>
  readonly depends_on?: Readonly<Record<string, unknown>>
}
interface Compose {
  readonly services: Readonly<Record<string, Service>>
  readonly configs: Readonly<Record<string, { readonly file: string }>>
  readonly networks: Readonly<Record<string, unknown>>
  readonly volumes: Readonly<Record<string, unknown>>
}
const compose = parse(textOf('docker-compose.yml'), { merge: true }) as Compose
const services = Object.entries(compose.services)
const config = () => parseConfig(JSON.parse(textOf('credence.json')), undefined, {})

describe('docker-compose.yml', () => {
  test('each network, volume, configuration and dependency that a service names exists', () => {
    for (const [name, service] of services) {
      const networks = Array.isArray(service.networks) ? service.networks : Object.keys(service.networks ?? {})
      expect(networks.length, name).toBeGreaterThan(0)
      for (const network of networks) expect(Object.keys(compose.networks), name).toContain(network)
      for (const volume of service.volumes ?? []) expect(Object.keys(compose.volumes), name).toContain(volume.split(':')[0])
      for (const { source } of service.configs ?? []) expect(Object.keys(compose.configs), name).toContain(source)
      for (const other of Object.keys(service.depends_on ?? {})) expect(Object.keys(compose.services), name).toContain(other)
    }
    for (const { file } of Object.values(compose.configs)) expect(existsSync(join(ROOT, 'deploy', file)), file).toBe(true)
  })
  test('images have a version, all services a memory limit and no new privileges, and all but MongoDB a read-only root and no capabilities', () => {
    for (const [name, { image, read_only, cap_drop, security_opt, mem_limit, build }] of services) {
      if (build === undefined) expect(image, name).toMatch(/:v?\d+\.\d+/)
      expect(security_opt, name).toContain('no-new-privileges:true')
      expect(mem_limit, name).toMatch(/^\d+[mg]$/)
      if (!name.startsWith('mongo-')) expect([read_only, cap_drop], name).toEqual([true, ['ALL']])
    }
  })
  test('only the proxy is reachable from outside, and the database only from the instances', () => {
    const published = services.flatMap(([name, { ports = [] }]) => ports.map((port) => `${name} ${port}`))
    expect(published).toEqual(['proxy 443:443', 'prometheus 127.0.0.1:9090:9090'])
    expect(compose.networks).toMatchObject({ database: { internal: true }, metrics: { internal: true } })
    const inDatabase = services.filter(([, { networks }]) => Array.isArray(networks) && networks.includes('database')).map(([name]) => name)
    expect(inDatabase).toEqual(['mongo-1', 'mongo-2', 'mongo-3', 'credence-1', 'credence-2'])
  })
  test('the registry accepts its configuration, which names the members, the witness volume and the proxy', () => {
    const { store = '', witness, trustedProxies, adminHost } = config()
    const members = services.map(([name]) => name).filter((name) => name.startsWith('mongo-'))
    expect(/^mongodb:\/\/([^/]*)\//.exec(store)?.[1]).toBe(members.map((name) => `${name}:27017`).join(','))
    expect(compose.services['credence-1']?.volumes).toContain(`witness:${String(witness).replace(/\/[^/]*$/, '')}`)
    expect(compose.services.proxy?.networks).toEqual({ public: { ipv4_address: trustedProxies[0] } })
    expect(adminHost).toBe('0.0.0.0')
  })
})

describe('Dockerfile', () => {
  const text = textOf('Dockerfile').replaceAll('\\\n', ' ')
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  const argsOf = (name: string): string[] => lines.filter((line) => line.startsWith(`${name} `)).map((line) => line.slice(name.length + 1))

  test('the image has no shell and runs as a user without rights; what is copied exists', () => {
    expect(argsOf('FROM').at(-1)).toMatch(/^gcr\.io\/distroless\/nodejs\d+-debian\d+:nonroot$/)
    expect(argsOf('USER')).toEqual(['nonroot'])
    const copied = argsOf('COPY').filter((args) => !args.startsWith('--from'))
    const sources = copied.flatMap((args) => args.split(' ').slice(0, -1))
    for (const source of sources) expect(existsSync(join(ROOT, source)), source).toBe(true)
    const allowed = textOf('Dockerfile.dockerignore').split('\n')
    for (const source of sources) expect(allowed).toContain(`!${source}`)
  })
  test('it starts the program of package.json, with a configuration at the place that compose fills', () => {
    const { bin } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
    const [entry = '[]', command = '[]'] = [argsOf('ENTRYPOINT')[0], argsOf('CMD')[0]]
    expect(JSON.parse(entry).at(-1)).toBe(bin.credence)
    expect(JSON.parse(command)).toEqual(['serve', '--config', compose.services['credence-1']?.configs?.[0]?.target])
  })
  test('its health check succeeds while /readyz does, and fails otherwise', async () => {
    const check = JSON.parse(/CMD (\[.*\])$/.exec(argsOf('HEALTHCHECK')[0] ?? '')?.[1] ?? '[]') as string[]
    const program = check[2] ?? ''
    expect(program).toContain(`http://127.0.0.1:${config().adminPort}/readyz`)
    let status = 200
    const server = createServer((request, response) => response.writeHead(request.url === '/readyz' ? status : 404).end())
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    const { port } = server.address() as AddressInfo
    const run = () =>
      promisify(execFile)(process.execPath, ['-e', program.replace(String(config().adminPort), String(port))]).then(
        () => 0,
        ({ code }) => code,
      )
    expect(await run()).toBe(0)
    status = 503
    expect(await run()).toBe(1)
    server.closeAllConnections()
    await new Promise((done) => server.close(done))
    expect(await run()).toBe(1)
  })

  const daemon = spawnSync('docker', ['info', '--format', '{{.ServerVersion}}'], { encoding: 'utf8', timeout: 20_000 })
  const answers = daemon.status === 0 && daemon.stdout.trim() !== ''
  if (!answers) notRun('THE CONTAINER IMAGE', 'no container daemon answers')
  test.skipIf(!answers)(
    'the image is built, and the registry in it becomes healthy',
    async () => {
      const docker = async (...args: readonly string[]) => (await promisify(execFile)('docker', args, { cwd: ROOT })).stdout.trim()
      await docker('build', '-f', 'deploy/Dockerfile', '-t', 'credence-test', '.')
      const serve = ['serve', '--issuer', 'https://registry.example', '--data', '/data', '--witness', '/witness/witness.json']
      const id = await docker('run', '-d', '--read-only', '--tmpfs', '/tmp', '-v', '/data', '-v', '/witness', 'credence-test', ...serve)
      try {
        await expect.poll(() => docker('inspect', '--format', '{{.State.Health.Status}}', id), { interval: 1000 }).toBe('healthy')
      } finally {
        await docker('rm', '-f', '-v', id)
      }
    },
    600_000,
  )
})

test('Caddyfile forwards to the instances, and its braces match', () => {
  const text = textOf('Caddyfile')
  const upstreams = /reverse_proxy ([^{]*)\{/.exec(text)?.[1]?.trim().split(' ') ?? []
  expect(upstreams).toEqual(['credence-1:4000', 'credence-2:4000'])
  for (const upstream of upstreams) expect(Object.keys(compose.services)).toContain(upstream.split(':')[0])
  expect(text).toContain(`\n${new URL(config().issuer ?? '').host} {\n`)
  const code = text.replace(/^#.*$/gm, '')
  expect([...code.matchAll(/\{/g)]).toHaveLength([...code.matchAll(/\}/g)].length)
  if (!hasTool('caddy')) return notRun('caddy validate', 'caddy is not installed')
  const validated = spawnSync('caddy', ['validate', '--adapter', 'caddyfile', '--config', join(ROOT, 'deploy/Caddyfile')], {
    encoding: 'utf8',
  })
  expect(validated.status, validated.stderr).toBe(0)
})

test('prometheus.yml reads the admin port of every instance and the alerts, which compose mounts beside it', async () => {
  const { scrape_configs: jobs, rule_files: rules } = parse(textOf('prometheus.yml')) as {
    rule_files: string[]
    scrape_configs: { job_name: string; static_configs: { targets: string[] }[] }[]
  }
  const instances = services.map(([name]) => name).filter((name) => name.startsWith('credence-'))
  const targets = jobs.flatMap(({ static_configs }) => static_configs.flatMap((one) => one.targets))
  expect(targets).toEqual(instances.map((name) => `${name}:${config().adminPort}`))
  const mounted = new Map(compose.services.prometheus?.configs?.map(({ source, target }) => [target, compose.configs[source]?.file ?? '']))
  expect(rules.map((rule) => mounted.get(`/etc/prometheus/${rule}`))).toEqual(['../docs/dashboards/alerts.yml'])
  const groups = (parse(textOf('../docs/dashboards/alerts.yml')) as { groups: { rules: { alert: string }[] }[] }).groups
  expect(groups.flatMap((group) => group.rules).map(({ alert }) => alert)).toContain('CredenceDown')
  if (!hasTool('promtool')) return notRun('promtool check config', 'promtool is not installed')
  await using folder = await tempFolder()
  await writeFile(join(folder.path, 'alerts.yml'), textOf('../docs/dashboards/alerts.yml'))
  await writeFile(join(folder.path, 'prometheus.yml'), textOf('prometheus.yml'))
  const checked = spawnSync('promtool', ['check', 'config', join(folder.path, 'prometheus.yml')], { encoding: 'utf8' })
  expect(checked.status, checked.stdout).toBe(0)
})

describe('credence.service', () => {
  const text = textOf('credence.service')
  const settings = [...text.matchAll(/^(\w+)=(.*)$/gm)].map(([, name = '', value = '']) => [name, value] as const)
  const valuesOf = (name: string) => settings.filter(([one]) => one === name).map(([, value]) => value)

  test('each line is a section, a comment or a setting, and the service is restarted, limited and has no rights', () => {
    expect(text.split('\n').filter((line) => !/^(\[(Unit|Service|Install)\]|#.*|\w+=.*|)$/.test(line))).toEqual([])
    expect(valuesOf('User')).toEqual(['credence'])
    expect(valuesOf('Restart')).toEqual(['always'])
    expect(valuesOf('CapabilityBoundingSet')).toEqual([''])
    for (const name of ['NoNewPrivileges', 'ProtectHome', 'PrivateTmp', 'PrivateDevices', 'RestrictNamespaces'])
      expect(valuesOf(name), name).toEqual(['yes'])
    expect(valuesOf('ProtectSystem')).toEqual(['strict'])
    expect(valuesOf('MemoryMax')).toHaveLength(1)
    // V8 compiles at run time
    expect(valuesOf('MemoryDenyWriteExecute')).toEqual([])
    const { graceSeconds = 0, drainSeconds } = config()
    expect(Number(valuesOf('TimeoutStopSec')[0])).toBeGreaterThan(graceSeconds + drainSeconds)
  })
  test('systemd accepts it, and rates its exposure at 2 or less', async () => {
    if (!hasTool('systemd-analyze')) return notRun('systemd-analyze', 'systemd is not installed')
    await using folder = await tempFolder()
    const unit = join(folder.path, 'credence.service')
    // The program is not installed here
    await writeFile(unit, text.replace('/opt/credence/node_modules/.bin/credence', process.execPath))
    const verified = spawnSync('systemd-analyze', ['verify', unit], { encoding: 'utf8' })
    expect([verified.status, verified.stderr]).toEqual([0, ''])
    const rated = spawnSync('systemd-analyze', ['security', '--offline=true', '--threshold=20', unit], { encoding: 'utf8' })
    expect(rated.status, rated.stdout).toBe(0)
  })
})
