// The example MCP server in a process of its own.
import { join, resolve } from 'node:path'
import { freePort } from '../free-port.mjs'
import type { Actor, Registry } from '../registry.js'
import { register } from './peers.js'
import { type Running, run } from './process.js'

export const EXAMPLES = resolve(import.meta.dirname, '../../examples')

export interface NotesServer extends AsyncDisposable {
  readonly url: string
  readonly resourceId: string
  restart(): Promise<void>
}

interface Site {
  readonly registry: Registry
  readonly acme: Actor
  /** A folder for the key of the server. */
  readonly folder: string
}

/** Registers the example server as a resource with these settings, and starts it. */
export async function startNotesServer(
  { registry, acme, folder }: Site,
  { allowBearer, ...more }: { readonly allowBearer: boolean; readonly bearer: 'allowed' | 'refused'; readonly policy?: object },
): Promise<NotesServer> {
  const url = `http://127.0.0.1:${await freePort()}/mcp`
  const operator = await register(registry, acme)
  const scopes = ['notes:read', 'notes:write'].map((scope) => ({ scope, words: scope }))
  const settings = {
    uri: url,
    name: 'Notes',
    scopes,
    policy: { mode: 'open' },
    ...more,
    operatorAgentId: operator.agentId,
    understands: ['max_calls'],
  }
  const { resourceId } = await acme.mutate<{ resourceId: string }>('resources.register', settings)
  const { agentId, registrationToken } = operator
  const keyFile = join(folder, `${agentId}.json`)
  const server = { issuer: registry.issuer, agentId, registrationToken, resource: url, resourceId, keyFile, allowBearer }
  const start = async () => {
    const started: Running = run(process.execPath, [join(EXAMPLES, 'mcp-server/server.js')], { AGENT: JSON.stringify(server) })
    await started.wrote(/listening on \d+/)
    return started
  }
  let running = await start()
  const restart = async () => {
    await running[Symbol.asyncDispose]()
    running = await start()
  }
  return { url, resourceId, restart, [Symbol.asyncDispose]: () => running[Symbol.asyncDispose]() }
}
