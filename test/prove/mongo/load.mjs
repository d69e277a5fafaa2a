// Callers of several instances at once: they publish, introduce, exchange, ask and end, and note what they were told.
import { createAgent } from 'credence/client'
import { aCard } from '../../../bench/lib/cast.js'
import { claimsOf, pause } from '../tools.mjs'
import { fetchVia } from './recorder.mjs'

/** So many tokens of each instance wait to be ended one after the other, so far apart: then a block is appended at any moment. */
const VOLLEY = 30
const APART_MS = 3

/**
 * `cast`: { ocr, planner }; `dice()`: from 0 to 1. Works until `isOver()`; resolves when all have stopped. `volleys`: gets, by instance, what
 * ends many tokens there, and resolves when the first of them has ended: of those that came a little later some are in the block that is
 * appended in that very moment.
 */
export async function runLoad({ history, deployment, cast, dice, isOver, workers = 6, enders = 0, volleys }) {
  const shared = { tokens: [], ended: [], introductions: [] }
  const one = async (i) => {
    // Each worker has connections of its own to every instance, and does one thing at a time
    const at = deployment.instances.map((instance) => doors(history, deployment.issuer, instance, cast))
    // Mostly the same one, so that whoever is on the wrong side of a cut stays there
    const any = () => at[dice() < 0.85 ? i % at.length : Math.floor(dice() * at.length)]
    const world = { history, shared, at, any, dice, issuer: deployment.issuer, cast, worker: i }
    const jobs = [
      exchange,
      exchange,
      exchange,
      endAndAsk,
      endAndAsk,
      endTask,
      ask,
      ask,
      introduce,
      i === 0 ? publish : ask,
      i < 2 ? publishRace : exchange,
      replay,
      look,
    ]
    for (let turn = i; !isOver(); turn++) {
      // Not answered, or refused: it may or may not stand, and nothing is claimed of it
      await jobs[turn % jobs.length](world).catch(() => pause(20))
    }
  }
  // Callers that do one thing at one instance: so that an ending is under way whenever something goes wrong
  const again = async (instance, work) => {
    const door = doors(history, deployment.issuer, instance, cast)
    const world = { history, shared: { tokens: [] }, any: () => door, issuer: deployment.issuer, cast }
    while (!isOver()) await work(world).catch(() => pause(20))
  }
  const arm = async (instance) => {
    const door = doors(history, deployment.issuer, instance, cast)
    const world = { history, shared: { tokens: [] }, any: () => door, issuer: deployment.issuer, cast }
    const ready = []
    volleys.set(instance, () => Promise.any(ready.splice(0).map((token, i) => pause(i * APART_MS).then(() => end(world, token)))))
    while (!isOver()) {
      if (ready.length >= VOLLEY) await pause(50)
      else
        await issue(world, door).then(
          (token) => ready.push(token),
          () => pause(20),
        )
    }
  }
  await Promise.all([
    ...Array.from({ length: workers }, (_, i) => one(i)),
    ...(enders === 0 ? [] : deployment.instances).flatMap((instance) => [
      again(instance, (world) => look(world).finally(() => pause(200))),
      ...Array.from({ length: enders }, () => again(instance, issueAndEnd)),
      arm(instance),
    ]),
  ])
}

function doors(history, issuer, instance, { ocr, planner }) {
  const via = fetchVia(history, issuer, instance)
  const agent = ({ agentId, signer }) => createAgent({ issuer, clientId: agentId, signer, fetch: via })
  return { instance, via, ocr: agent(ocr), planner: agent(planner) }
}

async function issue({ history, shared, cast }, door, more = {}, on = []) {
  const { accessToken } = await door.planner.exchange({ audience: cast.ocr.audience, ...more })
  const { jti } = claimsOf(accessToken)
  const token = { jti, accessToken, on: [`token ${jti}`, ...on] }
  history.texts.set(jti, accessToken)
  history.issued.push({ jti, on: token.on, sentAt: door.via.sentAt, at: performance.now() })
  shared.tokens.push(token)
  if (shared.tokens.length > 50) shared.tokens.shift()
  return token
}

const exchange = (world) => issue(world, world.any())

async function introspect({ history }, door, { jti, accessToken }) {
  const { active } = await door.ocr.introspect(accessToken)
  history.asked.push({ jti, active, sentAt: door.via.sentAt, at: performance.now() })
}

/** Something that lives, or something that has ended. */
async function ask(world) {
  const { shared, dice } = world
  const list = dice() < 0.5 ? shared.tokens : shared.ended
  const token = list[Math.floor(dice() * list.length)]
  if (token) await introspect(world, world.any(), token)
}

/** Ended on one, asked of all the others in the moment of the acknowledgement. */
async function endAndAsk(world) {
  const { shared, at } = world
  const token = shared.tokens.pop()
  if (token === undefined) return
  await end(world, token)
  remember(shared, token)
  await Promise.allSettled(at.map((door) => introspect(world, door, token)))
}

async function issueAndEnd(world) {
  const token = await issue(world, world.any())
  await end(world, token)
}

async function end({ history, any }, token) {
  await any().planner.revoke(token.accessToken)
  history.ended.push({ name: `token ${token.jti}`, jti: token.jti, handle: token.jti.replace('tok_', 'tok:'), ackedAt: performance.now() })
}

async function endTask(world) {
  const { history, shared, at, any } = world
  const { taskId } = await any().planner.tasks.create({ description: 'for a while' })
  const names = [`task ${taskId}`]
  const first = await issue(world, any(), { taskId }, names)
  const ending = any()
  // One more is asked for while the task ends: it may be given, and is dead by what it stands on
  const [, ended] = await Promise.allSettled([
    issue(world, at.find((door) => door !== ending) ?? ending, { taskId }, names),
    ending.planner.tasks.end(taskId),
  ])
  if (ended.status === 'rejected') return
  history.ended.push({ name: names[0], ackedAt: performance.now() })
  remember(shared, first)
  await Promise.allSettled([...at.map((door) => introspect(world, door, first)), issue(world, any(), { taskId }, names)])
}

function remember(shared, token) {
  shared.ended.push(token)
  if (shared.ended.length > 50) shared.ended.shift()
}

async function introduce(world) {
  const { history, shared, any, cast } = world
  const { introductionId } = await any().planner.introductions.request({ to: cast.ocr.agentId, purpose: 'more', scopes: ['ocr:read'] })
  history.granted.push(`introduction ${introductionId}`)
  shared.introductions.push(introductionId)
  if (shared.introductions.length < 6) return
  const id = shared.introductions.shift()
  // From here on it may have ended, acknowledged or not
  history.granted.splice(history.granted.indexOf(`introduction ${id}`), 1)
  await any().planner.introductions.revoke(id)
  history.ended.push({ name: `introduction ${id}`, ackedAt: performance.now() })
}

async function publish({ history, any, issuer, dice }) {
  const text = `Reads, ${dice()}.`
  const { version } = await any().ocr.publish({ card: { ...aCard(issuer), description: text } })
  history.published.push({ version, text })
}

/** Two contents for the version that is next, signed beforehand as that version, at two instances. */
async function publishRace({ history, at, issuer, dice }) {
  const cards = at.slice(0, 2).map(() => ({ ...aCard(issuer), description: `Reads, ${dice()}.`, skills: hiding }))
  const done = await Promise.allSettled(at.slice(0, 2).map(({ ocr }, i) => ocr.publish({ card: cards[i], hide: ['/skills/1'] })))
  for (const [i, { status, value }] of done.entries())
    if (status === 'fulfilled') history.published.push({ version: value.version, text: cards[i].description })
}

const skill = (id) => ({ id, name: id, description: 'Text of one scanned page.', tags: ['ocr', 'scan'] })
const hiding = [skill('read-page'), skill('read-passport')]

/** One and the same request, assertion and proof and all, at every instance at once. */
async function replay({ history, at, any, issuer, cast }) {
  const { via } = any()
  let kept
  const keeping = async (input, init) => {
    if (!String(input).endsWith('/oauth/token')) return via(input, init)
    if (kept === undefined || kept.isSpent) {
      // The first is answered with a nonce to use; the second is the one that is sent to all
      const isFirst = kept === undefined
      kept = {
        input,
        init: { ...init, headers: { ...init.headers, 'content-type': 'application/x-www-form-urlencoded' }, body: String(init.body) },
        isSpent: isFirst,
      }
      if (isFirst) return via(input, kept.init)
    }
    const answers = await Promise.allSettled(at.map((door) => fetchVia(history, issuer, door.instance)(kept.input, kept.init)))
    history.races.push({ what: 'one assertion', winners: answers.filter((one) => one.status === 'fulfilled' && one.value.ok).length })
    throw new Error('enough')
  }
  const { agentId, signer } = cast.planner
  await createAgent({ issuer, clientId: agentId, signer, fetch: keeping }).token()
}

/** What this instance shows of the log. */
async function look({ history, any, issuer }) {
  const { via, instance } = any()
  const from = history.views.at(-1)?.entries.at(-1)?.seq ?? 0
  const answer = await via(`${issuer}/log/entries?from=${Math.max(0, from - 50)}&limit=200`)
  if (!answer.ok) return
  const { entries } = await answer.json()
  history.views.push({ instance: instance.name, entries: entries.map(({ seq, id }) => ({ seq, id })) })
}
