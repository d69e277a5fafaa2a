// Checks of the machine that runs a registry. They open neither the store nor its lock, so they work beside a running registry.
import { existsSync } from 'node:fs'
import { readdir, stat, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { decodeUtf8 } from '../../lib/bytes.js'
import type { Clock } from '../../lib/clock.js'
import { fetchBytes } from '../../lib/io/fetch-json.js'
import { inspectDatabase, inspectStoreFile } from '../../operations/inspect-store.js'
import type { Config } from '../../server/config.js'
import { adminUrlOf, storePath } from '../../server/open-store.js'
import { type Check, duration, fail, ok, tryCheck, warn } from './check.js'

const MIB = 1_048_576
/** Below this, a registry may soon be unable to write. */
const FAIL_BYTES = 256 * MIB
const WARN_BYTES = 2048 * MIB
const WARN_SHARE = 0.1

type Space = Pick<Awaited<ReturnType<typeof statfs>>, 'bavail' | 'blocks' | 'bsize' | 'files' | 'ffree'>

/** `spaceOf` is for tests. */
export async function checkMachine(clock: Clock, config: Config, spaceOf: (folder: string) => Promise<Space> = statfs): Promise<Check[]> {
  const { dataDirectory, store } = config
  return [
    checkNode(process.versions.node),
    // With MongoDB, an instance needs no data directory
    ...(store === undefined || existsSync(dataDirectory) ? await checkData(dataDirectory, spaceOf) : []),
    await tryCheck('database', DATABASE_TODO, () => (store === undefined ? checkSqlite(storePath(config)) : checkMongo(clock, store))),
    await checkReady(clock, config),
  ]
}

async function checkData(folder: string, spaceOf: (folder: string) => Promise<Space>): Promise<Check[]> {
  const todo = 'Name the data directory of the registry with --data.'
  const data = await tryCheck('data', todo, async () =>
    (await stat(folder)).isDirectory() ? ok('data', folder) : fail('data', `${folder} is not a folder`, todo),
  )
  if (data.state === 'fail') return [data]
  return [
    data,
    await tryCheck('disk', todo, async () => diskOf(folder, await spaceOf(folder))),
    await tryCheck('permissions', todo, () => checkPermissions(folder)),
  ]
}

function checkNode(version: string): Check {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return major > 20 || (major === 20 && minor >= 19)
    ? ok('node', version)
    : fail('node', `Node ${version} is older than 20.19`, 'Install a supported version of Node (20.19 or newer).')
}

function diskOf(folder: string, { bavail, blocks, bsize, files, ffree }: Space): Check {
  const free = Number(bavail) * Number(bsize)
  const text = `${Math.floor(free / MIB)} MiB free (${Math.floor((100 * Number(bavail)) / Math.max(1, Number(blocks)))} %) at ${folder}`
  const todo = 'Make room or enlarge the disk: without room nothing can be revoked.'
  // Some file systems have no fixed number of files, and report 0
  if (Number(files) > 0 && Number(ffree) === 0) return fail('disk', `no inode is free at ${folder}`, todo)
  if (free < FAIL_BYTES) return fail('disk', text, todo)
  return free < WARN_BYTES || Number(bavail) < WARN_SHARE * Number(blocks) ? warn('disk', text, todo) : ok('disk', text)
}

/** The files of the registry hold private keys. */
async function checkPermissions(folder: string): Promise<Check> {
  if (process.getuid === undefined) return ok('permissions', 'this system has no file modes')
  const names = (await readdir(folder)).filter((name) => /^(credence\.db|witness|restored)/.test(name))
  const modes = await Promise.all(names.map(async (name) => ({ file: join(folder, name), mode: (await stat(join(folder, name))).mode })))
  const shared = modes.filter(({ mode }) => (mode & 0o077) !== 0).map(({ file }) => file)
  return shared.length === 0
    ? ok('permissions', `${names.length} files of the registry are private`)
    : fail('permissions', `other users can read ${shared.join(', ')}`, `chmod 600 ${shared.join(' ')}`)
}

const DATABASE_TODO = 'Name the data directory (--data) or the database (--store) of the registry.'

async function checkSqlite(file: string): Promise<Check> {
  const { isStore, format, isReadable } = await inspectStoreFile(file)
  if (!isStore) return fail('database', `${file} is not the store of a registry`, 'Put a backup back, and run: credence admin restore')
  return isReadable
    ? ok('database', `${file}, format ${format}`)
    : fail('database', `${file} has format ${format}, which this release cannot read`, 'Use the release that wrote it.')
}

async function checkMongo(clock: Clock, url: string): Promise<Check> {
  const { server, schemaVersion, supportedVersion, clockMs, upgradeTo } = await inspectDatabase(url)
  const skew = clock.now() - clockMs / 1000
  const text = `MongoDB ${server}, schema version ${schemaVersion ?? 'none: no registry has used it'}`
  if (schemaVersion !== undefined && schemaVersion > supportedVersion)
    return fail('database', `${text}; this release supports ${supportedVersion}`, 'Use the newer release.')
  if (Math.abs(skew) > 5)
    return fail('database', `${text}; its clock differs by ${duration(skew)}`, 'Run NTP on the members and here: instances answer 503.')
  return upgradeTo === undefined
    ? ok('database', text)
    : warn('database', `${text}, with published vulnerabilities`, `Upgrade the members to ${upgradeTo}.`)
}

async function checkReady(clock: Clock, { adminHost, adminPort }: Config): Promise<Check> {
  const url = `${adminUrlOf({ adminHost: LOOPBACK_OF[adminHost] ?? adminHost, adminPort })}/readyz`
  const response = await fetchBytes(clock, url).catch(() => undefined)
  if (response === undefined)
    return warn(
      'ready',
      `nothing answers at ${url}`,
      'Start the registry here, or name its adminPort and adminHost in the configuration (--config).',
    )
  const text = (decodeUtf8(response.body) ?? '').trim()
  const [, ...warnings] = text.split('\n')
  if (response.status === 200 && warnings.length > 0)
    return warn('ready', warnings.join('; '), 'See "Alerts" in docs/OPERATIONS.md. The registry serves requests meanwhile.')
  return response.status === 200 ? ok('ready', 'the registry is ready') : fail('ready', text, 'The log of the registry says more.')
}

/** A server that listens on all addresses is reached on loopback. */
const LOOPBACK_OF: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' }
