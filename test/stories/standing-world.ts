// A random world of organisations, agents, keys, tasks, introductions and tokens over servers that share a store, and an oracle that knows
// from its own record, never from a token, what each token stands on: who registered, introduced and delegated what.
import { createAgent } from '../../src/client/index.js'
import { newEs256Signer, proveKey } from '../../src/credentials/jose/sign.js'
import { systemRandom } from '../../src/lib/random.js'
import type { IntroductionId, TaskId } from '../../src/protocol/ids.js'
import { type Actor, type AgentActor, aCard, type Registry } from '../registry.js'
import type { Gate } from '../trust-log/gated-storage.js'

/** Something that can end, with the moments at which its ending began and was acknowledged. */
interface Thing {
  readonly name: string
  began: number
  acknowledged: number
}

interface Subject {
  readonly name: string
  agent: AgentActor
  readonly admin: Actor
  readonly organisation: Thing
  identity: Thing
  ceiling: Thing
  key: Thing
  keyId: string
  readonly parent?: Subject
  suspended: boolean
  /** What callers rely on in its card. */
  card?: Thing
  port: number
}

interface Introduced {
  readonly thing: Thing
  readonly id: IntroductionId
  readonly from: Subject
  readonly to: Subject
  /** Identities of both sides when it was granted, and the card as it was. */
  readonly used: readonly Thing[]
}

interface IssuedToken {
  readonly thing: Thing
  readonly text: string
  readonly holder: Subject
  readonly audience: Subject
  readonly task?: { readonly thing: Thing; readonly id: TaskId }
  readonly used: ReadonlySet<Thing>
  /** Versions that changed while it was issued: it stands on the old or the new one. */
  readonly perhaps: ReadonlySet<Thing>
  /** The identities among `used`: what a token made from this one stands on. */
  readonly lasting: ReadonlySet<Thing>
}

export interface Exploration {
  readonly violations: string[]
  readonly counts: Record<string, number>
}

function mulberry32(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

export async function explore(
  registry: Registry,
  seed: number,
  { steps, crashes }: { steps: number; crashes: boolean },
): Promise<Exploration> {
  const random = mulberry32(seed)
  const pick = <T>(list: readonly T[]): T | undefined => list[Math.floor(random() * list.length)]
  let time = 0
  const now = () => ++time
  const thing = (name: string): Thing => ({ name, began: Number.POSITIVE_INFINITY, acknowledged: Number.POSITIVE_INFINITY })
  const violations: string[] = []
  const counts: Record<string, number> = {}
  const count = (what: string) => {
    counts[what] = (counts[what] ?? 0) + 1
  }
  const introductions: Introduced[] = []
  const tasks: { thing: Thing; id: TaskId; owner: Subject }[] = []
  const tokens: IssuedToken[] = []

  const registeredKeyOf = async (by: Actor, owner: string) =>
    (await by.query<{ items: { keyId: string; state: string }[] }>('keys.list', { owner })).items.find(({ state }) => state === 'active')
      ?.keyId ?? ''
  const subjectOf = async (name: string, agent: AgentActor, admin: Actor, organisation: Thing, parent?: Subject): Promise<Subject> => ({
    name,
    agent,
    admin,
    organisation,
    identity: thing(`agt ${name}`),
    ceiling: thing(`ver ${name}`),
    key: thing(`key ${name}`),
    keyId: await registeredKeyOf(admin, agent.agentId),
    ...(parent && { parent }),
    suspended: false,
    port: 1,
  })

  // ---- the world: two callees, two callers and a child of a caller, in three organisations
  const admins = await Promise.all(['one', 'two', 'three'].map((name) => registry.organisation(`${name} ${seed}`)))
  const [first, second, third] = admins as [Actor, Actor, Actor]
  const [orgA, orgB, orgC] = [thing('org A'), thing('org B'), thing('org C')]
  const contact = { mode: 'open' }
  const callee = await subjectOf('callee', await registry.agent({ of: second, contact }), second, orgB)
  const ceilingOf = (rights: readonly AgentActor[]) => ({
    scopes: ['cards:write', 'agents:write', 'discovery:read', 'introductions:write', 'tasks:write'],
    rights: rights.map(({ audience }) => ({ audience, scope: 'ocr:read' })),
    delegationDepth: 2,
  })
  const middle = await subjectOf(
    'middle',
    await registry.agent({ of: third, contact: { mode: 'ask' }, ceiling: ceilingOf([callee.agent]) }),
    third,
    orgC,
  )
  const caller = await subjectOf(
    'caller',
    await registry.agent({ of: first, ceiling: ceilingOf([callee.agent, middle.agent]) }),
    first,
    orgA,
  )
  const child = await subjectOf(
    'child',
    await registry.agent({ of: { ...caller.agent }, ceiling: ceilingOf([callee.agent, middle.agent]) }),
    first,
    orgA,
    caller,
  )
  const subjects = [callee, middle, caller, child]
  const publish = (one: Subject) =>
    one.agent.publish({
      card: aCard(registry, {
        supportedInterfaces: [{ url: `http://127.0.0.1:${one.port}/a2a`, protocolBinding: 'JSONRPC', protocolVersion: '1.0' }],
      }),
    })
  for (const one of [callee, middle]) {
    await publish(one)
    one.card = thing(`card ${one.name}`)
  }

  // ---- what a decision about a subject reads
  const identitiesOf = (one: Subject): Thing[] => [one.organisation, one.identity, ...(one.parent ? identitiesOf(one.parent) : [])]
  const versionsOf = (one: Subject): Thing[] => [one.ceiling, ...(one.parent ? versionsOf(one.parent) : [])]
  const ended = (one: Thing) => one.began < Number.POSITIVE_INFINITY

  /** The work between the two moments; an answer that is a failure leaves its acknowledgement open. */
  const end = async (what: readonly Thing[], work: () => Promise<unknown>): Promise<boolean> => {
    for (const one of what) one.began = Math.min(one.began, now())
    try {
      await work()
      for (const one of what) one.acknowledged = Math.min(one.acknowledged, now())
      return true
    } catch {
      count('failed endings')
      return false
    }
  }
  const introduce = async (from: Subject, to: Subject, delegation?: object): Promise<void> => {
    const before = [...identitiesOf(from), ...identitiesOf(to), ...(to.card ? [to.card] : [])]
    const { introductionId, state } = await from.agent.introductions.request({
      to: to.agent.agentId,
      purpose: 'x',
      scopes: ['ocr:read'],
      ...delegation,
    })
    if (state === 'pending') await to.agent.introductions.approve(introductionId)
    const used = [...identitiesOf(from), ...identitiesOf(to), ...(to.card ? [to.card] : [])]
    // Decided on what stood before or after: where that differs nothing is claimed of it.
    if (used.some((one, i) => one !== before[i])) return
    introductions.push({ thing: thing(`int ${from.name} ${to.name}`), id: introductionId, from, to, used })
    count('introductions')
  }
  const passOn = { delegation: { depth: 1, rights: [{ audience: callee.agent.audience, scope: 'ocr:read' }] } }

  const issue = async (introduced: Introduced, subject?: IssuedToken): Promise<void> => {
    const { from, to } = introduced
    const task = subject?.task ?? (random() < 0.6 ? pick(tasks.filter(({ owner, thing }) => owner === from && !ended(thing))) : undefined)
    const chain = subject ? [subject.holder, from] : [from]
    const read = () => [
      ...chain.flatMap(versionsOf),
      ...(to.card ? [to.card] : []),
      ...chain.map(({ key }) => key),
      ...chain.flatMap(identitiesOf),
      ...identitiesOf(to),
    ]
    const before = read()
    const own = thing(`tok ${tokens.length}`)
    const { accessToken } = await from.agent.exchange({
      audience: to.agent.audience,
      scope: 'ocr:read',
      ...(subject ? { subjectToken: subject.text } : task && { taskId: task.id }),
      ...(to === middle && passOn),
    })
    const after = read()
    const certain = before.filter((one, i) => one === after[i])
    const perhaps = [...before, ...after].filter((one) => !certain.includes(one))
    const lasting = [
      ...chain.flatMap(identitiesOf),
      ...identitiesOf(to),
      introduced.thing,
      ...(task ? [task.thing] : []),
      ...(subject ? [...subject.lasting, subject.thing] : []),
    ]
    // Of several introductions between two agents the newest that stands is taken: where that is open nothing is claimed of it.
    const rivals = introductions.filter((one) => one !== introduced && one.from === from && one.to === to)
    const used = new Set([
      ...certain,
      ...lasting.filter((one) => !perhaps.includes(one) && (rivals.length === 0 || one !== introduced.thing)),
      own,
    ])
    tokens.push({
      thing: own,
      text: accessToken,
      holder: from,
      audience: to,
      ...(task && { task }),
      used,
      perhaps: new Set([...perhaps, ...rivals.map((one) => one.thing), ...introduced.used, introduced.thing, ...(subject?.perhaps ?? [])]),
      lasting: new Set(lasting.filter((one) => used.has(one))),
    })
    count('tokens')
  }

  const judge = async (token: IssuedToken): Promise<void> => {
    const arrived = now()
    let active: boolean
    try {
      // By the operator, who may see every token and is never ended.
      active = (await registry.operator.introspect(token.text)).active === true
    } catch {
      count('unanswered')
      return
    }
    const answered = now()
    count(active ? 'active' : 'inactive')
    const dead = [...token.used].find((one) => one.acknowledged < arrived)
    if (active && dead)
      violations.push(`seed ${seed}: ${token.thing.name} is active, though the ending of ${dead.name} was acknowledged before it was asked`)
    const dying = [...token.used, ...token.perhaps].some((one) => one.began < answered)
    if (!active && !dying)
      violations.push(`seed ${seed}: ${token.thing.name} is inactive, though nothing that it stands on had begun to end`)
  }

  const PAIRS = [
    [caller, callee],
    [child, callee],
    [caller, middle],
    [child, middle],
    [middle, callee],
  ] as const
  const isLive = ({ thing, used }: Introduced) => !ended(thing) && !used.some(ended)

  // ---- operations
  const operations: [number, () => Promise<unknown>][] = [
    [
      10,
      async () => {
        const chosen = pick(introductions.filter((one) => isLive(one) && !one.from.suspended))
        if (chosen) await issue(chosen)
      },
    ],
    [
      4,
      async () => {
        const given = pick(tokens.filter(({ audience, thing }) => audience === middle && !ended(thing)))
        const onward = pick(introductions.filter((one) => one.from === middle && one.to === callee && isLive(one)))
        if (given && onward) await issue(onward, given)
      },
    ],
    [
      5,
      async () => {
        const missing = PAIRS.filter(([from, to]) => !introductions.some((one) => one.from === from && one.to === to && isLive(one)))
        const [from, to] = pick(missing) ?? pick(PAIRS) ?? [caller, callee]
        await introduce(from, to, to === middle ? passOn : undefined)
      },
    ],
    [
      2,
      async () => {
        const owner = pick([caller, child]) ?? caller
        const parent = random() < 0.4 ? pick(tasks.filter((one) => one.owner === owner && !ended(one.thing))) : undefined
        const { taskId } = await owner.agent.tasks.create({ description: 'x', ...(parent && { parentTaskId: parent.id }) })
        const own = parent ? parent.thing : thing(`tsk ${tasks.length}`)
        tasks.push({ thing: own, id: taskId, owner })
      },
    ],
    [
      2,
      async () => {
        const open = tokens.filter(({ thing }) => !ended(thing))
        const passedOn = open.filter((one) => open.some(({ lasting }) => lasting.has(one.thing)))
        const token = pick(passedOn) ?? pick(open)
        if (token) await end([token.thing], () => token.holder.agent.revoke(token.text))
      },
    ],
    [
      1,
      async () => {
        const task = pick(tasks.filter(({ thing }) => !ended(thing)))
        // The first of a tree: its children share its fate.
        const root = task && tasks.find(({ thing }) => thing === task.thing)
        if (root) await end([root.thing], () => root.owner.agent.tasks.end(root.id))
      },
    ],
    [
      1,
      async () => {
        const one = pick(introductions.filter(({ thing }) => !ended(thing)))
        if (one) await end([one.thing], () => one.from.admin.mutate('introductions.revoke', { introductionId: one.id }))
      },
    ],
    [
      1,
      async () => {
        const one = pick(subjects.filter(({ suspended }) => !suspended))
        if (!one) return
        one.suspended = true
        await end([one.identity], () => one.admin.mutate('agents.suspend', { agentId: one.agent.agentId }))
      },
    ],
    [
      3,
      async () => {
        const one = pick(subjects.filter(({ suspended }) => suspended))
        if (!one) return
        await one.admin.mutate('agents.reinstate', { agentId: one.agent.agentId })
        one.identity = thing(`agt ${one.name} again`)
        one.suspended = false
      },
    ],
    [
      1,
      async () => {
        const one = pick([caller, child, middle]) ?? caller
        const rights = one === middle ? [callee.agent] : [callee.agent, middle.agent]
        const old = one.ceiling
        if (await end([old], () => one.admin.mutate('agents.change', { agentId: one.agent.agentId, ceiling: ceilingOf(rights) })))
          one.ceiling = thing(`ver ${one.name} again`)
        else one.ceiling = { ...thing(`ver ${one.name} unknown`), began: now() }
      },
    ],
    [
      1,
      async () => {
        const one = pick([callee, middle]) ?? callee
        const old = one.card
        one.port++
        if (old && (await end([old], () => publish(one)))) one.card = thing(`card ${one.name} again`)
        else one.card = { ...thing(`card ${one.name} unknown`), began: now() }
      },
    ],
    [
      1,
      async () => {
        const one = pick([caller, middle]) ?? caller
        const signer = await newEs256Signer()
        const { agentId } = one.agent
        const proof = await proveKey({ signer, clock: registry.clock, random: systemRandom }, { issuer: registry.issuer, owner: agentId })
        const { keyId } = await one.admin.mutate<{ keyId: string }>('keys.register', {
          owner: agentId,
          use: 'client',
          jwk: signer.publicJwk,
          proof,
        })
        const [old, oldCard, oldKey] = [one.key, one.card, one.keyId]
        one.agent = { ...one.agent, ...createAgent({ issuer: registry.issuer, clientId: agentId, signer, clock: registry.clock }), signer }
        one.key = thing(`key ${one.name} again`)
        one.keyId = keyId
        // The card was signed by the old key.
        await end([old, ...(oldCard ? [oldCard] : [])], () => one.admin.mutate('keys.revoke', { keyId: oldKey }))
        if (oldCard) {
          one.port++
          await publish(one)
          one.card = thing(`card ${one.name} under another key`)
        }
      },
    ],
    [
      0.8,
      async () => {
        if (!ended(orgA) && done > steps * 0.8)
          await end([orgA], () => registry.operator.mutate('organisations.revoke', { orgId: first.orgId }))
      },
    ],
  ]
  let done = 0
  const total = operations.reduce((sum, [weight]) => sum + weight, 0)
  const step = async (): Promise<void> => {
    let at = random() * total
    const chosen = operations.find(([weight]) => {
      at -= weight
      return at < 0
    })
    try {
      await chosen?.[1]()
    } catch (error) {
      // Refused, or a server died: nothing was claimed.
      count(error instanceof Error && 'reason' in error ? `refused ${String(error.reason)}` : 'lost')
      if (!(error instanceof Error && 'reason' in error)) throw error
    }
    const near = tokens.filter(({ used }) => [...used].some(ended))
    const alive = tokens.filter(({ used, perhaps }) => ![...used, ...perhaps].some(ended))
    for (const token of [pick(near), pick(alive), pick(tokens)]) if (token) await judge(token)
  }

  for (const [from, to] of PAIRS) await introduce(from, to, to === middle ? passOn : undefined)
  // What waits for a moment (a retry after 503) gets it, to the end; no token lives to see its own expiry.
  const ticking = setInterval(() => registry.clock.advance(0.1), 20)
  try {
    for (; done < steps; done += 3) {
      await Promise.all([step(), step(), step()])
      if (crashes && random() < 0.06) await crash(registry, random, count)
    }
    if (crashes) await crash(registry, random, count)
    // At rest: what was left half-way is settled by the timer, and each server agrees.
    registry.clock.advance(31)
    for (const token of tokens) await judge(token)
    // Last, all of an organisation in one entry.
    await end([orgA], () => registry.operator.mutate('organisations.revoke', { orgId: first.orgId }))
    for (const token of tokens) await judge(token)
  } finally {
    clearInterval(ticking)
  }
  return { violations, counts }
}

/** A server of its own takes part for a while, and dies in the middle of something: from one access to the store to the next it is gone. */
async function crash(registry: Registry, random: () => number, count: (what: string) => void): Promise<void> {
  const ports = registry.servers.slice(0, 2).map(({ port }) => port)
  let fuse = Number.POSITIVE_INFINITY
  const gate: Gate = async (_name, work) => {
    if (fuse < 0) throw new Error('this server has died')
    fuse--
    if (fuse >= 0) return work()
    // The last thing that it asked for may have been done, or not.
    if (random() < 0.5) await work()
    throw new Error('this server has died')
  }
  const mortal = await registry.addServer(gate)
  fuse = 5 + Math.floor(random() * 60)
  registry.front.route([...ports, mortal.port])
  setTimeout(() => registry.front.route(ports), 60)
  count('crashes')
}
