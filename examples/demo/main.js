// The main use case: a registry process (with --mongodb two instances over a replica set) and three agent processes. Every claim is asserted before
// it is printed.
import { once } from 'node:events'
import { setTimeout as after } from 'node:timers/promises'
import { createAgent, joinRegistry, newEs256Signer, proveDpop } from 'credence/client'
import { importCards } from './cards.js'
import { fillConsole, openInBrowser } from './console.js'
import { callMcpServer } from './mcp.js'
import { overMongodb } from './over-mongodb.js'
import { actForPerson, serveTickets } from './person.js'
import { chapter, claim, claimed, freePort, newStage, refusal, refusedWithin, table, untilDone } from './stage.js'

// The stage kills its child processes when this process exits.
if (!process.argv.includes('--stay')) process.once('SIGTERM', () => process.exit(1))
const isOverMongodb = process.argv.includes('--mongodb')
const stage = await newStage()
let registry
const started = performance.now()
try {
  const cast = await play()
  console.log(`\n${claimed()} claims held, in ${((performance.now() - started) / 1000).toFixed(1)} s.`)
  if (process.argv.includes('--stay')) await stay(cast)
} finally {
  await stage.close()
  await registry?.close()
}
process.exit(0)

async function play() {
  registry = isOverMongodb ? await overMongodb() : await stage.registry()
  const { issuer } = registry
  console.log(`The registry is ${issuer}: ${registry.about}.`)
  const operator = await join(issuer, registry.firstCode, 'Olga')
  const acme = await organisation(issuer, operator, 'Acme Documents')
  const globex = await organisation(issuer, operator, 'Globex Planning')
  await importCards(acme)

  chapter('2. An OCR agent publishes a card with two non-public skills and a non-public interface')
  const register = (admin, name, ceiling = {}) => admin.mutate('agents.register', { name, ceiling, introductionPolicy: { mode: 'ask' } })
  const start = async (file, registration) => stage.agent(file, { issuer, ...registration, port: await freePort() })
  const ocrRegistration = await register(acme, 'OCR')
  const mayRead = { audience: ocrRegistration.audience, scope: 'ocr:read' }
  const researchRegistration = await register(globex, 'Research', { rights: [mayRead] })
  const plannerRegistration = await register(globex, 'Planner', {
    rights: [mayRead, { audience: researchRegistration.audience, scope: 'research:ask' }],
    delegationDepth: 1,
  })
  const ocr = await start('ocr.js', ocrRegistration)
  const research = await start('research.js', researchRegistration)
  const planner = await start('planner.js', plannerRegistration)
  const published = await ocr('publish')
  claim(
    published.version === 1 && published.verdict.state === 'signed',
    'the agent signed its card with its registered key and published it in one call',
  )

  const anonymous = await (await fetch(`${issuer}/agents/${ocrRegistration.agentId}/card`)).json()
  const authenticated = await planner('card', { agentId: ocrRegistration.agentId })
  const { hits } = await planner('search', { text: 'scanned documents', tags: ['ocr'] })
  const hit = hits.find(({ agentId }) => agentId === ocrRegistration.agentId)
  const introduction = await planner('introduce', { to: hit.agentId, scopes: ['ocr:read'], purpose: 'read invoices' })
  const introduced = await planner('card', { agentId: ocrRegistration.agentId })
  const skills = ({ skills }) =>
    skills
      .map(({ id }) => id)
      .sort()
      .join(' ')
  table([
    ['caller', 'tier', 'interfaces', 'skills', 'verified back to the key'],
    ['anonymous', anonymous.tier, anonymous.claims.supportedInterfaces.length, skills(anonymous.claims), '(no SD-JWT)'],
    [
      'authenticated',
      authenticated.view.tier,
      authenticated.card.supportedInterfaces.length,
      skills(authenticated.card),
      `${authenticated.publisher.jkt.slice(0, 12)}…`,
    ],
    [
      'introduced',
      introduced.view.tier,
      introduced.card.supportedInterfaces.length,
      skills(introduced.card),
      `${introduced.publisher.jkt.slice(0, 12)}…`,
    ],
  ])
  claim(
    anonymous.sdJwt === undefined && skills(anonymous.claims) === 'read-page',
    'an anonymous caller sees one skill, and not how many there are',
  )
  claim(
    authenticated.state === 'verified' && skills(authenticated.card) === 'read-page read-passport',
    'an authenticated agent sees one more skill',
  )
  claim(
    introduced.state === 'verified' && introduced.card.skills.length === 3 && introduced.card.supportedInterfaces.length === 2,
    'an introduced agent sees all three skills and both interfaces',
  )

  chapter('3. The planner is introduced, exchanges its token, and calls')
  claim(
    hit.audience === ocrRegistration.audience && hit.scopes.includes('ocr:read'),
    `found by search: ${hit.text.name}, with audience, endpoint and scopes`,
  )
  claim(introduction.state === 'granted', 'the OCR agent received the request and approved the introduction')
  const { taskId } = await planner('task', { description: 'read the invoices of May' })
  const peer = { audience: ocrRegistration.audience, scope: 'ocr:read', taskId }
  const { endpoint } = hit
  await planner('connect', { name: 'ocr', peer, endpoint })
  const read = await planner('ask', { name: 'ocr', text: 'invoice 17' })
  claim(read.text === `read "invoice 17" for ${plannerRegistration.agentId}`, 'the planner called the OCR agent through the A2A SDK')

  await research('publish')
  await research('meet', { agentId: ocrRegistration.agentId, audience: ocrRegistration.audience, endpoint })
  const passOn = { depth: 1, rights: [mayRead] }
  const toResearch = await planner('introduce', {
    to: researchRegistration.agentId,
    scopes: ['research:ask'],
    purpose: 'find sources',
    delegation: passOn,
  })
  claim(toResearch.state === 'granted', 'the research agent approved an introduction that allows one delegation')
  const researchUrl = (await planner('card', { agentId: researchRegistration.agentId })).card.supportedInterfaces[0].url
  await planner('connect', {
    name: 'research',
    peer: { audience: researchRegistration.audience, taskId, delegation: passOn },
    endpoint: researchUrl,
  })
  const delegated = await planner('ask', { name: 'research', text: 'tariffs' })
  claim(
    delegated.text.endsWith(`for ${plannerRegistration.agentId} → ${researchRegistration.agentId}`),
    'the planner delegated to the research agent, which called the OCR agent: the token names both',
  )
  const names = { [plannerRegistration.agentId]: 'planner', [researchRegistration.agentId]: 'research', [ocrRegistration.agentId]: 'ocr' }
  const lineage = await planner('lineage', { taskId })
  printTree(lineage, names)
  claim(
    lineage.some(({ act }) => act.length === 1) && lineage.every(({ revoked }) => !revoked),
    'the lineage shows which token came from which',
  )

  chapter('4. Requests that must fail')
  const attempt = async (what, expected, work) => {
    const text = await refusal(work)
    claim(expected.test(text), `${what}: ${text}`)
  }
  await attempt('a wider scope', /invalid_scope/, () => planner('exchange', { peer: { ...peer, scope: 'ocr:admin' } }))
  await attempt('an audience without an introduction', /invalid_target/, () =>
    planner('exchange', { peer: { audience: `${issuer}/agents/agt_AAAAAAAAAAAAAAAAAAAAAA` } }),
  )
  await attempt('passing a token on without the right', /invalid_request/, async () => {
    const withoutDelegation = await planner('exchange', {
      peer: { audience: researchRegistration.audience, scope: 'research:ask', taskId },
    })
    return research('passOn', { subjectToken: withoutDelegation.accessToken })
  })
  await attempt('a stolen token without its key', /401 invalid_token/, async () => {
    const { accessToken } = await planner('exchange', { peer })
    const thief = {
      signer: await newEs256Signer(),
      clock: { now: () => Math.floor(Date.now() / 1000) },
      random: { token: () => crypto.randomUUID() },
    }
    const dpop = await proveDpop(thief, { htm: 'POST', htu: endpoint, accessToken })
    const response = await fetch(endpoint, { method: 'POST', headers: { authorization: `DPoP ${accessToken}`, dpop }, body: '{}' })
    if (!response.ok) throw new Error(`${response.status} ${(await response.json()).error}`)
  })
  await attempt('a replayed proof', /401 invalid_token/, async () => {
    const { status, error } = await planner('replay', { peer, endpoint })
    throw new Error(`${status} ${error}`)
  })
  await attempt('an A2A task that belongs to another task', /Task not found/, async () => {
    const other = await planner('task', { description: 'something else' })
    await planner('connect', { name: 'other', peer: { ...peer, taskId: other.taskId }, endpoint })
    return planner('getTask', { name: 'other', taskId: read.taskId })
  })

  chapter('5. The task ends; then the registry is killed')
  await planner('endTask', { taskId })
  const acknowledged = performance.now()
  const refusals = await Promise.all(
    ['ocr', 'research'].map(async (name) => [
      name,
      await refusedWithin(acknowledged + 1000, () => planner('ask', { name, text: 'again' })),
      performance.now() - acknowledged,
    ]),
  )
  for (const [name, text, ms] of refusals)
    claim(/401|invalid_token/.test(text), `${name} refused ${ms.toFixed(1)} ms after the acknowledgement`)
  const june = await planner('task', { description: 'the invoices of June' })
  await planner('connect', { name: 'june', peer: { ...peer, taskId: june.taskId }, endpoint })
  await planner('ask', { name: 'june', text: 'invoice 18' })
  const before = await ocr('position')
  if (isOverMongodb) await killInstanceAndPrimary(() => planner('ask', { name: 'june', text: 'invoice 18' }))
  console.log('  (the agents now report that they cannot reach the registry)')
  await registry.kill()
  await after(1100)
  const unconfirmed = await refusal(() => planner('ask', { name: 'june', text: 'invoice 19' }))
  claim(
    /503|standing_unknown/.test(unconfirmed),
    'with the registry killed (-9) the OCR agent cannot confirm the token: 503 standing_unknown',
  )
  await registry.restart()
  const again = await untilDone(() => planner('ask', { name: 'june', text: 'invoice 19' }))
  claim(again.text.includes('invoice 19'), 'after the restart the OCR agent accepts the same token again')
  const revokedLineage = await planner('lineage', { taskId })
  claim(
    revokedLineage.filter((node) => node.taskId === taskId).every(({ revoked }) => revoked),
    'nothing acknowledged was lost: every revoked token is still revoked',
  )
  await planner('endTask', { taskId: june.taskId })
  const position = await untilDone(async () => {
    const now = await ocr('position')
    return now.seq > before.seq && now.handles > before.handles ? now : Promise.reject(new Error('the events have not arrived yet'))
  })
  claim(
    position.handles === before.handles + 1,
    `the subscriber resumed after entry ${before.seq} and is at entry ${position.seq}, without a gap`,
  )
  await callMcpServer(stage, issuer, acme)
  const petra = await member(issuer, globex, 'Petra')
  const plannerId = plannerRegistration.agentId
  await actForPerson({
    issuer,
    petra,
    globex,
    planner,
    plannerId,
    research: researchRegistration,
    researchUrl,
    ocrAudience: ocrRegistration.audience,
  })
  const cast = { issuer, operator, globex, petra, planner, research: researchRegistration, researchUrl }
  return { ...cast, ocr: ocrRegistration, ocrEndpoint: endpoint }
}

/** Kills one instance, then the primary of the database. Each time calls must succeed again, after 30 s at most. */
async function killInstanceAndPrimary(call) {
  await registry.killOne()
  claim((await untilDone(call)).text.includes('invoice 18'), 'with one instance killed (-9) the other instance serves')
  await registry.startOne()
  const restartPrimary = await registry.killPrimary()
  claim(
    (await untilDone(call, 30)).text.includes('invoice 18'),
    'with the primary of the database killed (-9) another primary is elected and calls succeed again',
  )
  await restartPrimary()
}

/** Keeps the registry and the agents running, so that users can try their own agent against them. */
async function stay(cast) {
  const { issuer, operator, globex, ocr, petra } = cast
  await fillConsole({ ...cast, organisation: (name) => organisation(issuer, operator, name) })
  const { orgId } = await operator.mutate('organisations.create', { name: 'Newcomers' })
  const { code } = await operator.mutate('members.invite', { orgId, role: 'administrator' })
  chapter('Registry and agents run until Ctrl-C')
  console.log('  Paste this into a second terminal (registry, invitation, id and audience of the OCR agent):\n')
  console.log(`export REGISTRY=${issuer} CODE=${code} \\\n  OCR=${ocr.agentId} AUDIENCE=${ocr.audience}\n`)
  console.log('  To check the registry and the OCR agent from outside:\n\nnpx credence doctor --registry $REGISTRY --agent $OCR\n')
  const tickets = await serveTickets({ '/': { member: petra }, '/console': { member: globex, returnTo: '/console' } })
  console.log(`  To sign in as Petra in a browser of this machine, open (each time it makes a new ticket):\n\n${tickets.urlOf('/')}\n`)
  const consoleUrl = tickets.urlOf('/console')
  console.log(`  The web console as the administrator of Globex Planning:\n\n${consoleUrl}\n`)
  openInBrowser(consoleUrl)
  await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')])
  tickets.close()
}

async function join(issuer, code, name) {
  const signer = await newEs256Signer()
  const { memberId } = await joinRegistry({ issuer, code, name, signer })
  return createAgent({ issuer, clientId: memberId, signer })
}

/** Creates an organisation and logs its administrator in. */
async function organisation(issuer, operator, name) {
  const { orgId } = await operator.mutate('organisations.create', { name })
  const { code } = await operator.mutate('members.invite', { orgId, role: 'administrator' })
  return join(issuer, code, `administrator of ${name}`)
}

/** A member of the organisation of `admin`, in the role `person`. */
async function member(issuer, admin, name) {
  const { items } = await admin.query('organisations.list', {})
  const [{ orgId }] = items
  const { code } = await admin.mutate('members.invite', { orgId, role: 'person' })
  return join(issuer, code, name)
}

function printTree(nodes, names) {
  const nameOf = (id) => names[id] ?? 'the registry'
  const print = (node, indent) => {
    const through = node.act.length > 0 ? ` through ${node.act.map(nameOf).join(', ')}` : ''
    console.log(
      `  ${indent}${node.tokenId.slice(0, 10)}… ${nameOf(node.sub)}${through} → ${nameOf(node.audience.split('/').at(-1))}${node.taskId ? `: ${node.scope}` : ''}`,
    )
    for (const child of nodes.filter(({ parents }) => parents.includes(node.tokenId))) print(child, `${indent}  └ `)
  }
  for (const node of nodes.filter(({ parents }) => !parents.some((id) => nodes.some(({ tokenId }) => tokenId === id)))) print(node, '')
}
