// The whole flow: a registry process (with --mongodb two instances over a replica set) and three agent processes. Every claim is asserted before it is printed.
import { once } from 'node:events'
import { setTimeout as after } from 'node:timers/promises'
import { createAgent, joinRegistry, newEs256Signer, proveDpop } from 'credence/client'
import { importCards } from './cards.js'
import { overMongodb } from './over-mongodb.js'
import { chapter, claim, claimed, freePort, newStage, refusal, refusedWithin, table, untilDone } from './stage.js'

// The stage kills its child processes when this process exits.
if (!process.argv.includes('--stay')) process.once('SIGTERM', () => process.exit(1))
const isOverMongodb = process.argv.includes('--mongodb')
const stage = await newStage()
let registry
const started = performance.now()
try {
  const { issuer, operator, ocr } = await play()
  console.log(`\n${claimed()} claims held, in ${((performance.now() - started) / 1000).toFixed(1)} s.`)
  if (process.argv.includes('--stay')) await stay(issuer, operator, ocr)
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
  const ocrIs = await register(acme, 'OCR')
  const mayRead = { audience: ocrIs.audience, scope: 'ocr:read' }
  const researchIs = await register(globex, 'Research', { rights: [mayRead] })
  const plannerIs = await register(globex, 'Planner', {
    rights: [mayRead, { audience: researchIs.audience, scope: 'research:ask' }],
    delegationDepth: 1,
  })
  const ocr = await start('ocr.js', ocrIs)
  const research = await start('research.js', researchIs)
  const planner = await start('planner.js', plannerIs)
  const published = await ocr('publish')
  claim(
    published.version === 1 && published.verdict.state === 'signed',
    'the agent signed its card with its registered key and published it in one call',
  )

  const anonymous = await (await fetch(`${issuer}/agents/${ocrIs.agentId}/card`)).json()
  const authenticated = await planner('card', { agentId: ocrIs.agentId })
  const { hits } = await planner('search', { text: 'scanned documents', tags: ['ocr'] })
  const hit = hits.find(({ agentId }) => agentId === ocrIs.agentId)
  const introduction = await planner('introduce', { to: hit.agentId, scopes: ['ocr:read'], purpose: 'read invoices' })
  const introduced = await planner('card', { agentId: ocrIs.agentId })
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
    'an authenticated agent sees one more',
  )
  claim(
    introduced.state === 'verified' && introduced.card.skills.length === 3 && introduced.card.supportedInterfaces.length === 2,
    'an introduced agent sees all of them',
  )

  chapter('3. The planner is introduced, exchanges its token, and calls')
  claim(
    hit.audience === ocrIs.audience && hit.scopes.includes('ocr:read'),
    `found by search: ${hit.text.name}, with audience, endpoint and scopes`,
  )
  claim(introduction.state === 'granted', 'the OCR agent received the request and approved the introduction')
  const { taskId } = await planner('task', { description: 'read the invoices of May' })
  const mine = { audience: ocrIs.audience, scope: 'ocr:read', taskId }
  const { endpoint } = hit
  await planner('connect', { name: 'ocr', peer: mine, endpoint })
  const read = await planner('ask', { name: 'ocr', text: 'invoice 17' })
  claim(read.text === `read "invoice 17" for ${plannerIs.agentId}`, 'the planner called the OCR agent through the A2A SDK')

  await research('publish')
  await research('meet', { agentId: ocrIs.agentId, audience: ocrIs.audience, endpoint })
  const passOn = { depth: 1, rights: [mayRead] }
  const toResearch = await planner('introduce', {
    to: researchIs.agentId,
    scopes: ['research:ask'],
    purpose: 'find sources',
    delegation: passOn,
  })
  claim(toResearch.state === 'granted', 'the research agent approved an introduction with the right to pass on once')
  const researchUrl = (await planner('card', { agentId: researchIs.agentId })).card.supportedInterfaces[0].url
  await planner('connect', { name: 'research', peer: { audience: researchIs.audience, taskId, delegation: passOn }, endpoint: researchUrl })
  const found = await planner('ask', { name: 'research', text: 'tariffs' })
  claim(
    found.text.endsWith(`for ${plannerIs.agentId} → ${researchIs.agentId}`),
    'it delegated to the research agent, which called the OCR agent: the token names both',
  )
  const names = { [plannerIs.agentId]: 'planner', [researchIs.agentId]: 'research', [ocrIs.agentId]: 'ocr' }
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
  await attempt('a wider scope', /invalid_scope/, () => planner('exchange', { peer: { ...mine, scope: 'ocr:admin' } }))
  await attempt('an audience without an introduction', /invalid_target/, () =>
    planner('exchange', { peer: { audience: `${issuer}/agents/agt_AAAAAAAAAAAAAAAAAAAAAA` } }),
  )
  await attempt('passing on without the right', /invalid_request/, async () => {
    const plain = await planner('exchange', { peer: { audience: researchIs.audience, scope: 'research:ask', taskId } })
    return research('passOn', { subjectToken: plain.accessToken })
  })
  await attempt('a stolen token without its key', /401 invalid_token/, async () => {
    const { accessToken } = await planner('exchange', { peer: mine })
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
    const { status, error } = await planner('replay', { peer: mine, endpoint })
    throw new Error(`${status} ${error}`)
  })
  await attempt('an A2A task that belongs to another task', /Task not found/, async () => {
    const other = await planner('task', { description: 'something else' })
    await planner('connect', { name: 'other', peer: { ...mine, taskId: other.taskId }, endpoint })
    return planner('getTask', { name: 'other', taskId: read.taskId })
  })

  chapter('5. The task is ended; then the registry is killed')
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
  await planner('connect', { name: 'june', peer: { ...mine, taskId: june.taskId }, endpoint })
  await planner('ask', { name: 'june', text: 'invoice 18' })
  const before = await ocr('position')
  if (isOverMongodb) await loseOneOfEach(() => planner('ask', { name: 'june', text: 'invoice 18' }))
  await registry.kill()
  await after(1100)
  const stale = await refusal(() => planner('ask', { name: 'june', text: 'invoice 19' }))
  claim(/503|standing_unknown/.test(stale), 'with the registry killed (-9) the OCR agent cannot confirm the token: 503 standing_unknown')
  await registry.restart()
  const again = await untilDone(() => planner('ask', { name: 'june', text: 'invoice 19' }))
  claim(again.text.includes('invoice 19'), 'after the restart the OCR agent accepts the same token again')
  const dead = await planner('lineage', { taskId })
  claim(
    dead.filter(({ taskId: of }) => of === taskId).every(({ revoked }) => revoked),
    'nothing acknowledged was lost: every revoked token is still revoked',
  )
  await planner('endTask', { taskId: june.taskId })
  const position = await untilDone(async () => {
    const now = await ocr('position')
    return now.seq > before.seq && now.handles > before.handles ? now : Promise.reject(new Error('the events have not arrived yet'))
  })
  claim(position.handles === before.handles + 1, `subscribers resumed after entry ${before.seq} and are at ${position.seq}, without a gap`)
  return { issuer, operator, ocr: ocrIs }
}

/** Kills one instance, then the primary of the database: calls go on after a moment. */
async function loseOneOfEach(call) {
  await registry.killOne()
  claim((await untilDone(call)).text.includes('invoice 18'), 'with one instance killed (-9) the other one serves')
  await registry.startOne()
  const startAgain = await registry.killPrimary()
  claim(
    (await untilDone(call, 30)).text.includes('invoice 18'),
    'with the primary of the database killed (-9) another one is elected and calls go on',
  )
  await startAgain()
}

/** Keeps registry and agents running, for the reader to build an agent against them. */
async function stay(issuer, operator, ocr) {
  const { orgId } = await operator.mutate('organisations.create', { name: 'Newcomers' })
  const { code } = await operator.mutate('members.invite', { orgId, role: 'administrator' })
  chapter('Registry and agents run until Ctrl-C')
  console.log('  Paste into a second terminal (registry, invitation, id and audience of the OCR agent):\n')
  console.log(`export REGISTRY=${issuer} CODE=${code} \\\n  OCR=${ocr.agentId} AUDIENCE=${ocr.audience}\n`)
  await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')])
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
