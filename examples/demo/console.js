// What `--stay` adds for the web console: more agents and introductions of Globex, requests that wait, a task with tokens, a consent. And it opens the
// console in a browser of this machine, if there is one.
import { spawn } from 'node:child_process'
import { confirmAgent, createAgent, newEs256Signer } from 'credence/client'
import { newBrowser, signIn, ticked } from './browser.js'
import { REDIRECT } from './person.js'

const PUBLIC_URL = 'https://agents.globex.example'

/** Adds the data that the console shows to the administrator `globex`. `organisation(name)` creates one, and logs its administrator in. */
export async function fillConsole({ issuer, globex, organisation, petra, planner, ocr, ocrEndpoint, research, researchUrl }) {
  const agent = (admin, registration) => startAgent(issuer, admin, registration)
  const initech = await organisation('Initech Travel')
  const desk = await agent(globex, { name: 'Travel desk', policy: 'ask' })
  const fares = await agent(initech, { name: 'Fares', policy: 'open' })
  await desk.publish(travelCard(issuer, 'Travel desk', 'Plans and books business trips.', 'desk'))
  await fares.publish(travelCard(issuer, 'Fare finder', 'Finds fares of trains and flights.', 'fares'))
  const clerk = await agent(globex, { name: 'Invoice clerk', rights: [{ audience: ocr.audience, scope: 'ocr:read' }] })
  await clerk.introduce({ to: ocr.agentId, scopes: ['ocr:read'], purpose: 'read the invoices of suppliers' })
  const tripPlanner = await agent(globex, { name: 'Trip planner', rights: travel(fares.audience), delegationDepth: 1 })
  await tripPlanner.introduce({ to: fares.agentId, scopes: ['travel:quote'], purpose: 'compare fares', waitSeconds: 0 })

  const tablet = await agent(initech, { name: 'Booking assistant', rights: travel(desk.audience) })
  const watcher = await agent(initech, { name: 'Price watcher', rights: travel(desk.audience) })
  await tablet.publish(travelCard(issuer, 'Booking assistant', 'Plans trips with people on a tablet.', 'tablet'))
  await watcher.publish(travelCard(issuer, 'Price watcher', 'Says when a fare changes.', 'watcher'))
  const purposes = [
    [tablet, ['travel:quote', 'travel:book'], 'book the trip to Lisbon for your sales team'],
    [watcher, ['travel:quote'], 'tell you when fares fall'],
  ]
  for (const [from, scopes, purpose] of purposes) await from.introduce({ to: desk.agentId, scopes, purpose, waitSeconds: 0 })
  await globex.mutate('agents.register', { name: 'Night watch', ceiling: {} })

  await runTask({ planner, ocr, ocrEndpoint, research, researchUrl })
  await letPlannerAct({ issuer, petra, planner, research })
}

async function startAgent(issuer, admin, { name, policy = 'closed', rights = [], delegationDepth = 0 }) {
  const { agentId, registrationToken, audience } = await admin.mutate('agents.register', {
    name,
    ceiling: { rights, delegationDepth },
    introductionPolicy: { mode: policy },
  })
  const signer = await newEs256Signer()
  await confirmAgent({ issuer, agentId, registrationToken, signer })
  return { ...createAgent({ issuer, clientId: agentId, signer }), agentId, audience }
}

const travel = (audience) => ['travel:quote', 'travel:book'].map((scope) => ({ audience, scope }))

/** A card whose second skill every authenticated caller sees, and whose third only an introduced one. */
const travelCard = (issuer, name, description, path) => ({
  card: {
    name,
    description,
    version: '2.1.0',
    provider: { organization: name, url: PUBLIC_URL },
    supportedInterfaces: [{ url: `http://127.0.0.1:9/${path}`, protocolBinding: 'JSONRPC', protocolVersion: '1.0' }],
    capabilities: { streaming: true },
    securitySchemes: {
      credence: {
        oauth2SecurityScheme: {
          flows: {
            clientCredentials: {
              tokenUrl: `${issuer}/oauth/token`,
              scopes: { 'travel:quote': 'compare prices', 'travel:book': 'book a trip and pay for it' },
            },
          },
        },
      },
    },
    securityRequirements: [{ schemes: { credence: { list: ['travel:quote'] } } }],
    defaultInputModes: ['text/plain'],
    defaultOutputModes: ['text/plain'],
    skills: [
      { id: 'quote', name: 'Compare prices', description: 'Trains, flights and hotels for given days.', tags: ['travel', 'price'] },
      { id: 'book', name: 'Book a trip', description: 'Books what was chosen, and pays by invoice.', tags: ['travel', 'booking'] },
      { id: 'upgrade', name: 'Change a class', description: 'Changes a booked trip to another class.', tags: ['travel', 'booking'] },
    ],
  },
  hide: ['/skills/1', '/skills/2'],
  tiers: { '/skills/1': 'authenticated', '/skills/2': 'introduced' },
})

/** A task whose tokens the planner passes on. It stays active. */
async function runTask({ planner, ocr, ocrEndpoint, research, researchUrl }) {
  const { taskId } = await planner('task', { description: 'the invoices of July' })
  const toOcr = { audience: ocr.audience, scope: 'ocr:read', taskId }
  await planner('connect', { name: 'July', peer: toOcr, endpoint: ocrEndpoint })
  await planner('ask', { name: 'July', text: 'invoice 31' })
  const delegation = { depth: 1, rights: [{ audience: ocr.audience, scope: 'ocr:read' }] }
  await planner('connect', { name: 'sources', peer: { audience: research.audience, taskId, delegation }, endpoint: researchUrl })
  await planner('ask', { name: 'sources', text: 'tariffs of July' })
  await planner('task', { description: 'compare the totals', parentTaskId: taskId })
}

/** Petra allows the planner to ask the research agent for her, until she revokes it. */
async function letPlannerAct({ issuer, petra, planner, research }) {
  const request = { resource: [issuer, research.audience], scope: 'tokens:exchange research:ask' }
  const url = await planner('askPerson', { redirectUri: REDIRECT, request })
  const browser = newBrowser(issuer)
  await browser.get(url)
  await signIn(browser, (await petra.mutate('sessions.ticket')).ticket)
  const page = await browser.get(url)
  const until = new Date(Date.now() + 30 * 86_400_000).toISOString().slice(0, 10)
  const decided = await browser.submit(page, '/oauth/authorize/decision', {
    decision: 'allow',
    right: ticked(page),
    duration: 'until',
    until,
  })
  const subjectToken = await planner('redeem', { url: new URL(decided.location).href, resource: issuer })
  await planner('exchange', { peer: { audience: research.audience, scope: 'research:ask', subjectToken } })
}

const OPENERS = { darwin: ['open'], win32: ['rundll32', 'url.dll,FileProtocolHandler'], linux: ['xdg-open'] }

/** Opens a URL with the program of the desktop, if there is one. */
export function openInBrowser(url) {
  const [command, ...args] = OPENERS[process.platform] ?? []
  const { CI, DISPLAY, WAYLAND_DISPLAY } = process.env
  if (command === undefined || CI || (process.platform === 'linux' && !DISPLAY && !WAYLAND_DISPLAY)) return
  const opener = spawn(command, [...args, url], { stdio: 'ignore', detached: true })
  // The URL was printed, so the user can open it
  opener.once('error', () => {})
  opener.unref()
}
