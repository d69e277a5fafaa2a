// Finds peers, requests introductions to them and calls them for a task.
import { a2aClient, ask, serveCommands, startAgent } from './a2a-agent.js'
import { clientForPeople } from './for-person.js'

const { agent, feed, privateJwk, url, audience } = await startAgent({
  scope: 'planner:ask',
  work: async ({ text }) => `planned: ${text}`,
})

/** A2A clients, by the name in the command `connect`. */
const clients = new Map()
/** The OAuth client that asks people. */
let people

serveCommands({
  search: (query) => agent.search(query),
  card: ({ agentId }) => agent.card(agentId),
  introduce: ({ to, scopes, purpose, delegation }) => agent.introduce({ to, scopes, purpose, ...(delegation && { delegation }) }),
  task: ({ description, parentTaskId }) => agent.tasks.create({ description, ...(parentTaskId && { parentTaskId }) }),
  endTask: ({ taskId }) => agent.tasks.end(taskId),
  exchange: ({ peer }) => agent.exchange(peer),
  connect: async ({ name, peer, endpoint }) => {
    clients.set(name, await a2aClient(agent, peer, endpoint))
  },
  ask: ({ name, text }) => ask(clients.get(name), text),
  getTask: ({ name, taskId }) => clients.get(name).getTask({ id: taskId }),
  replay: async ({ peer, endpoint }) => {
    // Sends exactly the same request twice: token, proof and body.
    const requests = []
    const { fetch } = globalThis
    globalThis.fetch = (input, init) => {
      if (String(input) === endpoint) requests.push([input, init])
      return fetch(input, init)
    }
    await agent.fetchAs(peer)(endpoint, {
      method: 'POST',
      body: '{}',
      headers: { 'content-type': 'application/json', 'a2a-version': '1.0' },
    })
    globalThis.fetch = fetch
    const response = await fetch(...requests[0])
    return { status: response.status, error: (await response.json()).error }
  },
  askPerson: async ({ redirectUri, request }) => {
    people = await clientForPeople({ issuer: agent.issuer, clientId: agent.clientId, privateJwk, redirectUri })
    return people.ask(request)
  },
  redeem: ({ url, resource }) => people.redeem(url, resource),
  lineage: ({ taskId }) => agent.lineage({ taskId }),
  position: () => ({ seq: feed.seq, handles: feed.ended.size, url, audience }),
})
