// The Python agent of examples/python against a registry on the real clock: it publishes, is introduced, exchanges, verifies, follows the feed.
// PYTHON_WITH_PACKAGES names a Python that has examples/python/requirements.txt (.ci/run makes one where python3 is there).
import { type ChildProcess, spawn } from 'node:child_process'
import type { Server } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseConfig } from '../../src/config.js'
import type { AgentId } from '../../src/protocol/ids.js'
import { audienceOf } from '../../src/protocol/ids.js'
import { serve } from '../../src/serve.js'
import { createVerifier, guard } from '../../src/verifier/index.js'
import { type AgentActor, aCard, type Cast, newCast } from '../registry.js'
import { tempFolder } from '../storage/open-store.js'

const PYTHON = process.env.PYTHON_WITH_PACKAGES

interface Python {
  readonly child: ChildProcess
  /** The next line that says it did this. */
  did(what: string): Promise<Record<string, unknown>>
  say(line: string): void
}

function startPython(args: readonly string[]): Python {
  const child = spawn(PYTHON ?? '', ['agent.py', ...args], {
    cwd: resolve(import.meta.dirname, '../../examples/python'),
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const said: Record<string, unknown>[] = []
  const waiting = new Set<() => void>()
  let isOver = false
  const wake = () => {
    for (const one of waiting) one()
  }
  createInterface({ input: child.stdout ?? process.stdin }).on('line', (line) => {
    said.push(JSON.parse(line))
    wake()
  })
  child.once('exit', () => {
    isOver = true
    wake()
  })
  return {
    child,
    say: (line) => child.stdin?.write(`${line}\n`),
    did: (what) =>
      new Promise((found, missed) => {
        const look = () => {
          const at = said.findIndex(({ did }) => did === what)
          if (at < 0 && !isOver) return
          waiting.delete(look)
          const [line] = at < 0 ? [] : said.splice(at, 1)
          if (line) found(line)
          else missed(new Error(`the Python agent ended before it ${what}`))
        }
        waiting.add(look)
        look()
      }),
  }
}

if (PYTHON === undefined) {
  console.warn('\n*** PYTHON_WITH_PACKAGES IS NOT SET: THE PYTHON AGENT DID NOT RUN ***\n')
  test('NOT RUN: the Python agent, for PYTHON_WITH_PACKAGES is not set', () => {
    expect(PYTHON).toBeUndefined()
  })
} else {
  describe('the Python agent', () => {
    let folder: Awaited<ReturnType<typeof tempFolder>>
    let registry: Awaited<ReturnType<typeof serve>>
    let cast: Cast
    let ocr: AgentActor
    let server: Server
    let feed: Awaited<ReturnType<AgentActor['subscribe']>>
    let python: Python
    let url: string
    let agentId: AgentId
    let planner: AgentActor

    beforeAll(async () => {
      folder = await tempFolder()
      registry = await serve(
        parseConfig({ dev: true, dataDirectory: folder.path, port: 0, adminPort: 0, logLevel: 'silent' }, undefined, {}),
      )
      const { issuer, firstCode = '' } = registry
      cast = await newCast({ issuer, firstCode })
      // A callee of ours for it to call
      ocr = await cast.agent({ name: 'ocr', contact: { mode: 'open' } })
      feed = await ocr.subscribe()
      server = createServer().listen(0, '127.0.0.1')
      await new Promise((listening) => server.once('listening', listening))
      const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
      const protect = guard(createVerifier({ issuer, audience: ocr.audience, publicUrl: origin, standing: feed }), { scope: 'ocr:read' })
      server.on('request', (request, response) =>
        protect(request, response, () => {
          const { claims } = (request as unknown as { credence: { claims: { sub: string } } }).credence
          response.end(`read for ${claims.sub}`)
        }),
      )
      const supportedInterfaces = [{ url: `${origin}/a2a`, protocolBinding: 'JSONRPC', protocolVersion: '1.0' }]
      await ocr.publish({ card: aCard({ issuer }, { supportedInterfaces }) })
      const registered = await cast.registration({ name: 'python', ceiling: { rights: [{ audience: ocr.audience, scope: 'ocr:read' }] } })
      agentId = registered.agentId
      planner = await cast.agent({
        name: 'planner',
        ceiling: { rights: [{ audience: audienceOf(issuer, agentId), scope: 'pages:count' }] },
      })
      python = startPython([issuer, agentId, registered.registrationToken, ocr.agentId, 'ocr:read'])
    }, 30_000)
    afterAll(async () => {
      python.child.stdin?.end()
      await new Promise((over) => python.child.once('exit', over))
      feed.close()
      server.closeAllConnections()
      server.close()
      await registry.close()
      await folder[Symbol.asyncDispose]()
    })

    test('it confirms, and publishes a signed card with a hidden skill that verifies back to its key', async () => {
      await python.did('confirmed')
      expect(await python.did('published')).toMatchObject({ version: 1, verdict: { state: 'signed', uncovered: [] } })
      url = String((await python.did('listening')).url)
      const stranger = await planner.card(agentId)
      expect((stranger.card.skills as { id: string }[]).map(({ id }) => id)).toEqual(['count-pages'])
    })

    test('it is introduced, exchanges its token and calls a callee of ours', async () => {
      expect(await python.did('introduced')).toMatchObject({ state: 'granted' })
      expect(await python.did('called')).toMatchObject({ status: 200, answer: `read for ${agentId}` })
    })

    test('it approves, and lets in who was introduced, until the task ends; after a lost connection too', async () => {
      const introduction = await planner.introduce({ to: agentId, purpose: 'count', scopes: ['pages:count'] })
      expect(introduction.state).toBe('granted')
      await python.did('approved')
      const { card } = await planner.card(agentId)
      expect((card.skills as { id: string }[]).map(({ id }) => id).sort()).toEqual(['count-pages', 'count-words'])

      const first = await planner.tasks.create({ description: 'first' })
      const second = await planner.tasks.create({ description: 'second' })
      const audience = audienceOf(registry.issuer, agentId)
      const [call, other] = [first, second].map(({ taskId }) => planner.fetchAs({ audience, scope: 'pages:count', taskId }))
      if (!call || !other) throw new Error('no calls')
      const send = (by: typeof call) => by(url, { method: 'POST', body: 'one\ftwo' })
      const answer = await send(call)
      expect([answer.status, await answer.json()]).toEqual([200, { pages: 2, for: planner.agentId, task: first.taskId }])
      expect((await send(other)).status).toBe(200)
      await planner.tasks.end(first.taskId)
      expect((await send(call)).status).toBe(401)

      // What ends while it is away is known when it is back; until then it says that it does not know.
      python.say('cut')
      await python.did('cut')
      await planner.tasks.end(second.taskId)
      const refused: number[] = []
      while (!refused.includes(401)) refused.push((await send(other)).status)
      expect(refused.filter((status) => status !== 503 && status !== 401)).toEqual([])
    })

    test('no token, a token without proof, a used proof: 401', async () => {
      expect((await fetch(url, { method: 'POST', body: 'x' })).status).toBe(401)
      const audience = audienceOf(registry.issuer, agentId)
      const { accessToken } = await planner.exchange({ audience })
      const bare = { authorization: `DPoP ${accessToken}` }
      expect((await fetch(url, { method: 'POST', headers: bare, body: 'x' })).status).toBe(401)
      const sent: Record<string, string>[] = []
      const spy: typeof fetch = (input, init) => {
        sent.push(Object.fromEntries(new Headers(init?.headers)))
        return fetch(input, init)
      }
      await cast.as(planner, { fetch: spy }).fetchAs({ audience, scope: 'pages:count' })(url, { method: 'POST', body: 'x' })
      const used = sent.at(-1) ?? {}
      expect(used.dpop).toBeDefined()
      expect((await fetch(url, { method: 'POST', headers: used, body: 'x' })).status).toBe(401)
    })
  })
}
