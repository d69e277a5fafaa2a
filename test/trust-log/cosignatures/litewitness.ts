// litewitness, the witness of the Go module filippo.io/torchwood. It is built once, by the Go of this machine, and cached in the temporary folder.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { DatabaseSync } from '@photostructure/sqlite'
import { eventually } from '../../eventually.js'
import { freePort } from '../../free-port.mjs'

/** A later version needs Go 1.27. */
const VERSION = 'v0.9.0'

/** The program, or the reason for which it cannot be run here. */
export function findLitewitness(): { readonly program: string } | { readonly missing: string } {
  const folder = join(tmpdir(), `credence-litewitness-${VERSION}`)
  const program = join(folder, 'litewitness')
  for (const tool of ['ssh-agent', 'ssh-add', 'ssh-keygen'])
    if (spawnSync('which', [tool]).status !== 0) return { missing: `${tool} is not installed` }
  if (existsSync(program)) return { program }
  mkdirSync(folder, { recursive: true })
  const env = { ...process.env, GOBIN: folder, GOFLAGS: '-mod=mod', GOTOOLCHAIN: 'local' }
  const built = spawnSync('go', ['install', `filippo.io/torchwood/cmd/litewitness@${VERSION}`], { env, encoding: 'utf8', timeout: 300_000 })
  return built.status === 0 ? { program } : { missing: built.error?.message ?? built.stderr.slice(-300) }
}

export interface Litewitness {
  /** The prefix of its endpoints. */
  readonly url: string
  readonly verifierKey: string
  stop(): Promise<void>
}

const TABLES = `
  CREATE TABLE log (origin TEXT PRIMARY KEY, tree_size INTEGER NOT NULL, tree_hash TEXT NOT NULL);
  CREATE TABLE key (origin TEXT NOT NULL, key TEXT NOT NULL, FOREIGN KEY(origin) REFERENCES log(origin));`
const EMPTY_ROOT = '47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='

/** Starts litewitness for these logs, with a new key in an SSH agent of its own. */
export async function startLitewitness(
  program: string,
  folder: string,
  logs: readonly { readonly origin: string; readonly verifierKey: string }[],
): Promise<Litewitness> {
  const [file, key, socket] = [join(folder, 'litewitness.db'), join(folder, 'witness-key'), join(folder, 'agent')]
  const db = new DatabaseSync(file)
  db.exec(TABLES)
  for (const { origin, verifierKey } of logs) {
    db.prepare('INSERT INTO log VALUES (?, 0, ?)').run(origin, EMPTY_ROOT)
    db.prepare('INSERT INTO key VALUES (?, ?)').run(origin, verifierKey)
  }
  db.close()
  const run = (name: string, args: string[]) => {
    const { status, stdout, stderr } = spawnSync(name, args, { env: { ...process.env, SSH_AUTH_SOCK: socket }, encoding: 'utf8' })
    if (status !== 0) throw new Error(`${name}: ${stderr}`)
    return stdout
  }
  run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key])
  const agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: ['ignore', 'pipe', 'ignore'] })
  await once(agent.stdout, 'data')
  run('ssh-add', ['-q', key])
  const fingerprint = run('ssh-keygen', ['-l', '-f', key]).split(' ')[1] ?? ''
  const listen = `127.0.0.1:${await freePort()}`
  const args = ['-db', file, '-name', 'litewitness.test/w1', '-key', fingerprint, '-listen', listen, '-ssh-agent', socket]
  const witness = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  const verifierKey = await vkeyIn(witness)
  // It says that it listens before it does
  await eventually(() => fetch(`http://${listen}/`))
  return {
    url: `http://${listen}`,
    verifierKey,
    stop: async () => {
      for (const child of [witness, agent]) {
        const ended = once(child, 'exit')
        child.kill('SIGKILL')
        await ended
      }
    },
  }
}

async function vkeyIn({ stderr }: ChildProcess): Promise<string> {
  let text = ''
  let key: string | undefined
  if (stderr)
    for await (const line of createInterface({ input: stderr })) {
      text += `${line}\n`
      key ??= /vkey="?([^"\s]+)/.exec(line)?.[1]
      if (key !== undefined && line.includes('listening')) break
    }
  if (key === undefined) throw new Error(`litewitness did not start: ${text}`)
  stderr?.resume()
  return key
}
