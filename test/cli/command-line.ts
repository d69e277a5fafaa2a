import { execFile } from 'node:child_process'
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
  /** Standard input. */
  readonly input?: string
}

/** Runs the program as a process of its own, without a terminal and without the environment of the test. */
export const runCommand = (args: readonly string[], { env = {}, input = '' }: RunOptions = {}): Promise<Run> =>
  new Promise((done) => {
    const child = execFile(process.execPath, [MAIN, ...args], { env: { PATH: process.env.PATH, ...env } }, (error, out, err) =>
      done({ code: typeof error?.code === 'number' ? error.code : error ? -1 : 0, out, err }),
    )
    child.stdin?.end(input)
  })

/** Runs commands one after another in a process that loads the program once. */
function openCommands() {
  const child = spawnNode([resolve(import.meta.dirname, 'many-commands.mjs')], { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] })
  const waiting: ((run: Run) => void)[] = []
  child.on('message', (run: Run) => waiting.shift()?.(run))
  // A command that ends the process is a fault
  child.on('exit', () => {
    for (const done of waiting.splice(0)) done({ code: -1, out: '', err: 'the process ended' })
  })
  return {
    run: (args: readonly string[], env: RunOptions['env']): Promise<Run> =>
      new Promise((done) => {
        waiting.push(done)
        child.send({ args, env: { PATH: process.env.PATH, ...env } })
      }),
    close: () => child.kill('SIGKILL'),
  }
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
  const commands = openCommands()
  const run = (args: readonly string[], { env, input }: RunOptions = {}) => {
    const environment = { CREDENCE_HOME: home, ...env }
    return input === undefined ? commands.run(args, environment) : runCommand(args, { env: environment, input })
  }
  return {
    home,
    profiles,
    run,
    /** Runs the program with --json and returns its result. A refusal is thrown as text. */
    json: async (...args: readonly string[]) => {
      const { code, out, err } = await run([...args, '--json'])
      if (code !== 0) throw new Error(err)
      return JSON.parse(out)
    },
    /** Writes a profile of a new administrator, and returns the member id. */
    administrator: async (name: string, inviter: Actor, orgId: string = inviter.orgId, role = 'administrator') => {
      const { code } = await inviter.mutate<{ code: string }>('members.invite', { orgId, role })
      const privateJwk = await newPrivateJwk('ES256')
      const signer = await signerFromJwk(privateJwk)
      const { memberId } = await joinRegistry({ issuer: registry.issuer, code, name, signer })
      return write(name.toLowerCase(), memberId, { ...privateJwk })
    },
    [Symbol.asyncDispose]: () => {
      commands.close()
      return folder[Symbol.asyncDispose]()
    },
  }
}
