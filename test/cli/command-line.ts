import { type ChildProcess, execFile } from 'node:child_process'
import { once } from 'node:events'
import { join, resolve } from 'node:path'
import { newProfiles, type Profile } from '../../src/cli/profile.js'
import { joinRegistry } from '../../src/client/index.js'
import { newPrivateJwk, signerFromJwk } from '../../src/credentials/jose/sign.js'
import { spawnNode } from '../child.mjs'
import type { Actor, Registry } from '../registry.js'
import { tempFolder } from '../storage/open-store.js'

/** The built program; `npm test` builds it first. */
export const MAIN = resolve(import.meta.dirname, '../../dist/cli/main.js')

export interface Run {
  readonly code: number
  readonly out: string
  readonly err: string
}

interface RunOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
}

/** Runs the program as a process of its own, without a terminal and without the environment of the test. `input`: its standard input. */
export const runProcess = (
  args: readonly string[],
  { env = {}, input = '' }: RunOptions & { readonly input?: string } = {},
): Promise<Run> =>
  new Promise((done) => {
    const child = execFile(process.execPath, [MAIN, ...args], { env: { PATH: process.env.PATH, ...env } }, (error, out, err) =>
      done({ code: typeof error?.code === 'number' ? error.code : error ? -1 : 0, out, err }),
    )
    child.stdin?.end(input)
  })

let commands: ChildProcess | undefined
let last: Promise<unknown> = Promise.resolve()

/**
 * Runs the program, without a terminal and without the environment of the test, in the process of many-commands.mjs. A test whose subject is the
 * process (its input, its end, the signals) takes `runProcess`.
 */
export function runCommand(args: readonly string[], { env = {}, cwd = process.cwd() }: RunOptions = {}): Promise<Run> {
  const run = last.then(() => send({ args, env: { PATH: process.env.PATH, ...env }, cwd }))
  last = run
  return run
}

async function send(command: object): Promise<Run> {
  commands ??= spawnNode([resolve(import.meta.dirname, 'many-commands.mjs')], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  const child = commands
  const hanging = setTimeout(() => child.kill('SIGKILL'), 60_000)
  const waiting = new AbortController()
  const answered = once(child, 'message', { signal: waiting.signal })
  const ended = once(child, 'exit', { signal: waiting.signal })
  child.send(command)
  const [run] = await Promise.race([answered, ended])
  clearTimeout(hanging)
  waiting.abort()
  await Promise.allSettled([answered, ended])
  if (typeof run === 'object' && run !== null) return run
  commands = undefined
  return { code: -1, out: '', err: 'the process ended, or the command did not end within a minute' }
}

/** Runs a command with --json and returns its result. A refusal is thrown. */
export async function resultOf(args: readonly string[], options?: RunOptions) {
  const { code, out, err } = await runCommand([...args, '--json'], options)
  if (code !== 0) throw Object.assign(new Error(err), { code, stderr: err })
  return JSON.parse(out)
}

/** A folder of profiles, and the program with this folder. */
export async function newCommandLine(registry: Registry) {
  const folder = await tempFolder()
  const home = join(folder.path, 'home')
  const profiles = newProfiles(home)
  const write = (name: string, clientId: string, privateJwk: Profile['privateJwk']) => {
    profiles.write(name, { registry: registry.issuer, clientId, privateJwk: { ...privateJwk } })
    return clientId
  }
  const inHome = (env: RunOptions['env']) => ({ CREDENCE_HOME: home, ...env })
  return {
    home,
    profiles,
    run: (args: readonly string[], { env, input }: { readonly env?: RunOptions['env']; readonly input?: string } = {}) =>
      input === undefined ? runCommand(args, { env: inHome(env) }) : runProcess(args, { env: inHome(env), input }),
    json: (...args: readonly string[]) => resultOf(args, { env: inHome({}) }),
    /** Writes a profile of a new administrator, and returns the member id. */
    administrator: async (name: string, inviter: Actor, orgId: string = inviter.orgId, role = 'administrator') => {
      const { code } = await inviter.mutate<{ code: string }>('members.invite', { orgId, role })
      const privateJwk = await newPrivateJwk('ES256')
      const signer = await signerFromJwk(privateJwk)
      const { memberId } = await joinRegistry({ issuer: registry.issuer, code, name, signer })
      return write(name.toLowerCase(), memberId, { ...privateJwk })
    },
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  }
}
