// What the stories in a browser need: a registry with a host name, a resource that follows the feed, and an application that asks a person.
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Feed } from '../../src/client/index.js'
import { errorPage } from '../../src/http/pages/error-page.js'
import { servedRoutes } from '../../src/server/api/served-routes.js'
import { createVerifier, guard } from '../../src/verifier/index.js'
import { type PersonWorld, push, redeem } from '../oauth/authorize/person-world.js'
import { type OAuthResponse, proofOf, tokenRequest } from '../oauth/requests.js'
import { type Actor, type AgentActor, type Registry, startRegistry } from '../registry.js'
import { runningClock } from '../set-clock.js'

/** Pictures for the documentation show harmless texts. */
export const TAKES_PICTURES = process.env.CREDENCE_SCREENSHOTS === '1'

/** Texts with which a stranger would inject something into a page, or disturb it. */
const HOSTILE = [
  '<script>window.injected=1</script>',
  '"><img src=x onerror="window.injected=1">',
  "'-window.injected=1-'",
  '</title></bdi></main><svg onload=window.injected=1>',
  '<iframe srcdoc="<script>parent.injected=1</script>">',
  'javascript:window.injected=1',
  '<a href="https://evil.example">Your bank</a>',
  '<form action="https://evil.example"><button>Allow</button></form>',
  '\u202EgnP.exe\u2066',
  `${'w'.repeat(120)}`,
].join(' ')

/** A text that somebody else wrote, with what a stranger would add to it. */
export const foreign = (text: string, max: number): string => (TAKES_PICTURES ? text : `${text} ${HOSTILE}`.slice(0, max))

/** Any object will do as a service, because no endpoint is called. */
const stub: unknown = new Proxy(() => stub, {
  get: (_, name) => (name === 'issuer' ? 'http://localhost:1' : name === Symbol.iterator ? [][Symbol.iterator] : stub),
})
/** The paths of all pages, from the table of routes. The console has tests of its own (test/console). */
export const PAGES = servedRoutes({ storage: stub, issuer: 'http://localhost:1' } as never, stub as never)
  .filter(({ method, errorBody, path }) => method === 'GET' && (errorBody === errorPage || path === '/') && !path.startsWith('/console'))
  .map(({ path }) => path)
  .sort((a, b) => Number(a.includes(':')) - Number(b.includes(':')))

export interface BrowserWorld extends AsyncDisposable {
  readonly registry: Registry
  readonly acme: Actor
  readonly client: AgentActor
  /** The URI of the resource. Its scope `files:write` needs an approval. */
  readonly uri: string
  invite(role: string): Promise<string>
  /** The address of the page on which a person decides about a request of the application. */
  authorizationUrl(more?: object): Promise<string>
  /** Where the application is sent back to. */
  readonly redirectUri: string
  redeem(code: string): Promise<OAuthResponse>
  /** A token of the application itself. */
  ownToken(more?: object): Promise<OAuthResponse>
  /** The status with which the resource answers. */
  call(accessToken: string): Promise<number>
}

const listen = async (server: Server): Promise<string> => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const WORDS = {
  'files:read': 'Read your files',
  'files:list': 'See the names of your files',
  'files:find': 'Search your files',
  'files:write': 'Change your files',
}
const SCOPES = Object.keys(WORDS)

export async function startBrowserWorld(): Promise<BrowserWorld> {
  const registry = await startRegistry({ localhost: true, clock: runningClock(), servers: 1 })
  const acme = await registry.organisation(foreign('Acme', 100))
  const operator = await registry.agent({ registeredBy: acme, name: 'server of the files' })
  let feed: Feed | undefined
  const resource = createServer((request, response) => protect(request, response, () => response.end('a file')))
  const publicUrl = await listen(resource)
  const uri = `${publicUrl}/files`
  const scopes = Object.entries(WORDS).map(([scope, words]) => ({
    scope,
    words: foreign(words, 256),
    ...(scope === 'files:write' && { approval: 'organisation' }),
  }))
  const policy = { mode: 'open', people: 'any' }
  await acme.mutate('resources.register', { uri, name: foreign('Files of Acme', 128), scopes, policy, operatorAgentId: operator.agentId })
  feed = await operator.subscribe()
  const protect = guard(createVerifier({ issuer: registry.issuer, resource: uri, publicUrl, standing: feed, clock: registry.clock }), 'any')
  const application = createServer((_, response) => response.setHeader('content-type', 'text/html').end('<title>Back</title>Back'))
  const redirectUri = `${await listen(application)}/callback`
  const rights = SCOPES.map((scope) => ({ audience: uri, scope }))
  const client = await registry.agent({ registeredBy: acme, name: foreign('Planner', 128), ceiling: { rights } })
  await acme.mutate('agents.change', { agentId: client.agentId, redirectUris: [redirectUri] })
  // Only the client takes part in a pushed request and its redemption
  const world = { client, ocr: client } as unknown as PersonWorld
  return {
    registry,
    acme,
    client,
    uri,
    redirectUri,
    invite: async (role) => (await acme.mutate<{ code: string }>('members.invite', { orgId: acme.orgId, role })).code,
    authorizationUrl: async (more = {}) => {
      const pushed = await push(registry, world, {
        redirect_uri: redirectUri,
        resource: uri,
        scope: 'files:read files:list files:find',
        ...more,
      })
      const query = new URLSearchParams({ client_id: client.agentId, request_uri: pushed.body.request_uri })
      return `${registry.issuer}/oauth/authorize?${query}`
    },
    redeem: (code) => redeem(registry, world, code, { redirect_uri: redirectUri, resource: uri }),
    ownToken: (more = {}) => tokenRequest(registry, client, { grant_type: 'client_credentials', resource: uri, ...more }),
    call: async (accessToken) => {
      const dpop = await proofOf(registry, client.signer, { path: '', htm: 'GET', accessToken }, { htu: uri })
      return (await fetch(uri, { headers: { authorization: `DPoP ${accessToken}`, dpop } })).status
    },
    [Symbol.asyncDispose]: async () => {
      feed.close()
      for (const server of [resource, application]) {
        server.closeAllConnections()
        server.close()
      }
      await registry[Symbol.asyncDispose]()
    },
  }
}
