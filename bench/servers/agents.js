// Well-behaved agents in one process. Each has its own client and source address, and sends token requests, tRPC queries and public reads in
// turn, at a steady rate: a slow response does not delay the next request.
import { Agent } from 'node:http'
import { confirmAgent, newEs256Signer } from 'credence/client'
import { proveDpop } from '../../dist/credentials/jose/sign.js'
import { systemClock } from '../../dist/lib/clock.js'
import { systemRandom } from '../../dist/lib/random.js'
import { nonceOf, requests } from '../exchange.js'
import { optionsOf, serveCalls } from '../lib/child.js'
import { send } from '../lib/load.js'

const { issuer, ports } = optionsOf()
const htu = (path) => `${issuer}${path}`
const QUERY = '/trpc/tasks.list'
const agents = []

async function join({ agentId, registrationToken }, i) {
  const signer = await newEs256Signer()
  await confirmAgent({ issuer, agentId, registrationToken, signer })
  const localAddress = `127.0.3.${i + 1}`
  return {
    client: { signer, clientId: agentId, issuer, form: { grant_type: 'client_credentials' } },
    // The instance of this agent
    origin: `http://127.0.0.1:${ports[i % ports.length]}`,
    kept: { agent: new Agent({ keepAlive: true, localAddress }) },
    // A public read opens a connection, as a verifier does that starts
    opened: { agent: new Agent({ keepAlive: false, localAddress }) },
  }
}

/** Signs `count` requests of each kind for one agent. */
async function jobsOf({ client, origin, kept, opened }, count) {
  const nonce = await nonceOf(`${origin}/oauth/token`, { ...client, url: htu('/oauth/token') })
  const [first, ...tokens] = await requests(count + 1, { ...client, url: htu('/oauth/token'), nonce })
  const { status, text } = await send(`${origin}/oauth/token`, first, kept)
  if (status !== 200) throw new Error(`${status} ${text}`)
  const accessToken = JSON.parse(text).access_token
  const deps = { signer: client.signer, clock: systemClock, random: systemRandom }
  const jobs = []
  for (const token of tokens) {
    const dpop = await proveDpop(deps, { htm: 'GET', htu: htu(QUERY), accessToken, nonce })
    const headers = { authorization: `DPoP ${accessToken}`, dpop }
    jobs.push(
      { kind: 'token', url: `${origin}/oauth/token`, request: token, connection: kept },
      { kind: 'public', url: `${origin}/.well-known/jwks.json`, request: { method: 'GET' }, connection: opened },
      { kind: 'tRPC', url: `${origin}${QUERY}`, request: { method: 'GET', headers }, connection: kept },
    )
  }
  return jobs
}

let prepared = []
serveCalls(
  {},
  {
    join: async (registrations) => {
      for (const [i, registration] of registrations.entries()) agents.push(await join(registration, i))
    },
    prepare: async (count) => {
      prepared = await Promise.all(agents.map((agent) => jobsOf(agent, count)))
    },
    /** Sends what was prepared, one request of each agent every `intervalMs`. Returns milliseconds by kind, and the counts of statuses. */
    run: async (intervalMs) => {
      const times = { token: [], public: [], tRPC: [] }
      const statuses = {}
      const startedAt = performance.now()
      await Promise.all(
        prepared.flatMap((jobs, agentNumber) =>
          jobs.map(async ({ kind, url, request, connection }, i) => {
            const dueAt = startedAt + (i + agentNumber / prepared.length) * intervalMs
            await new Promise((resolve) => setTimeout(resolve, dueAt - performance.now()))
            const sentAt = performance.now()
            const { status } = await send(url, request, connection).catch(({ code }) => ({ status: code }))
            times[kind].push(performance.now() - sentAt)
            statuses[status] = (statuses[status] ?? 0) + 1
          }),
        ),
      )
      return { times, statuses }
    },
  },
)
