// A random world of organisations, agents, keys, tasks, introductions and tokens, over servers that share a store, and an oracle. The oracle
// derives the dependencies of each token from its own record of who registered, introduced and delegated what, never from the token.
import { createAgent } from '../../src/client/index.js'
import { newEs256Signer, proveKey } from '../../src/credentials/jose/sign.js'
import { systemRandom } from '../../src/lib/random.js'
import type { IntroductionId, TaskId } from '../../src/protocol/ids.js'
import { type Actor, type AgentActor, aCard, type Registry } from '../registry.js'
import type { Gate } from '../trust-log/gated-storage.js'

/** Something that can be revoked, with the moments at which its revocation was requested and acknowledged. */
interface Revocable {
  readonly name: string
  requestedAt: number
  acknowledgedAt: number
}

interface Subject {
  readonly name: string
  agent: AgentActor
  readonly admin: Actor
  readonly organisation: Revocable
  identity: Revocable
  ceiling: Revocable
  key: Revocable
  keyId: string
  readonly parent?: Subject
  suspended: boolean
  /** The version of its card, if it has one. */
  card?: Revocable
  port: number
}

interface Introduced {
  readonly handle: Revocable
  readonly id: IntroductionId
  readonly from: Subject
  readonly to: Subject
  /** The identities of both sides and the card version with which it was granted. */
  readonly dependencies: readonly Revocable[]
}

interface IssuedToken {
  readonly handle: Revocable
  readonly text: string
  readonly holder: Subject
  readonly audience: Subject
  readonly task?: { readonly handle: Revocable; readonly id: TaskId }
  readonly dependencies: ReadonlySet<Revocable>
  /** Versions that changed while the token was issued: it depends on the old or the new one, and the oracle makes no claim about them. */
  readonly uncertain: ReadonlySet<Revocable>
  /** The identities among `dependencies`, which a token exchanged for this one inherits. */
  readonly inherited: ReadonlySet<Revocable>
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

/** Returns at the first violations. */
export async function explore(
  registry: Registry,
  seed: number,
  { steps, crashes }: { steps: number; crashes: boolean },
): Promise<Exploration> {
  const random = mulberry32(seed)
  const pick = <T>(list: readonly T[]): T | undefined => list[Math.floor(random() * list.length)]
  let time = 0
  const now = () => ++time
  const newRevocable = (name: string): Revocable => ({
    name,
    requestedAt: Number.POSITIVE_INFINITY,
    acknowledgedAt: Number.POSITIVE_INFINITY,
  })
  const violations: string[] = []
  const counts: Record<string, number> = {}
  const count = (event: string) => {
    counts[event] = (counts[event] ?? 0) + 1
  }
  const introductions: Introduced[] = []
  const tasks: { handle: Revocable; id: TaskId; owner: Subject }[] = []
  const tokens: IssuedToken[] = []

  const registeredKeyOf = async (admin: Actor, owner: string) =>
    (await admin.query<{ items: { keyId: string; state: string }[] }>('keys.list', { owner })).items.find(({ state }) => state === 'active')
      ?.keyId ?? ''
  const subjectOf = async (name: string, agent: AgentActor, admin: Actor, organisation: Revocable, parent?: Subject): Promise<Subject> => ({
    name,
    agent,
    admin,
    organisation,
    identity: newRevocable(`agt ${name}`),
    ceiling: newRevocable(`ver ${name}`),
    key: newRevocable(`key ${name}`),
    keyId: await registeredKeyOf(admin, agent.agentId),
    ...(parent && { parent }),
    suspended: false,
    port: 1,
  })

  // ---- the world: two called agents, one of which calls the other, a caller and its child agent, in three organisations
  const admins = await Promise.all(['one', 'two', 'three'].map((name) => registry.organisation(`${name} ${seed}`)))
  const [first, second, third] = admins as [Actor, Actor, Actor]
  const [orgA, orgB, orgC] = [newRevocable('org A'), newRevocable('org B'), newRevocable('org C')]
  const introductionPolicy = { mode: 'open' }
  const target = await subjectOf('target', await registry.agent({ registeredBy: second, introductionPolicy }), second, orgB)
  const ceilingOf = (rights: readonly AgentActor[]) => ({
    scopes: ['cards:write', 'agents:write', 'discovery:read', 'introductions:write', 'tasks:write', 'tokens:exchange'],
    rights: rights.map(({ audience }) => ({ audience, scope: 'ocr:read' })),
    delegationDepth: 2,
  })
  const middle = await subjectOf(
    'middle',
    await registry.agent({ registeredBy: third, introductionPolicy: { mode: 'ask' }, ceiling: ceilingOf([target.agent]) }),
    third,
    orgC,
  )
  const caller = await subjectOf(
    'caller',
    await registry.agent({ registeredBy: first, ceiling: ceilingOf([target.agent, middle.agent]) }),
    first,
    orgA,
  )
  const child = await subjectOf(
    'child',
    await registry.agent({ registeredBy: { ...caller.agent }, ceiling: ceilingOf([target.agent, middle.agent]) }),
    first,
    orgA,
    caller,
  )
  const subjects = [target, middle, caller, child]
  const publish = (subject: Subject) =>
    subject.agent.publish({
      card: aCard(registry, {
        supportedInterfaces: [{ url: `http://127.0.0.1:${subject.port}/a2a`, protocolBinding: 'JSONRPC', protocolVersion: '1.0' }],
      }),
    })
  for (const subject of [target, middle]) {
    await publish(subject)
    subject.card = newRevocable(`card ${subject.name}`)
  }

  // ---- the dependencies that a decision about a subject reads
  const identitiesOf = (subject: Subject): Revocable[] => [
    subject.organisation,
    subject.identity,
    ...(subject.parent ? identitiesOf(subject.parent) : []),
  ]
  const versionsOf = (subject: Subject): Revocable[] => [subject.ceiling, ...(subject.parent ? versionsOf(subject.parent) : [])]
  const isRevoked = (revocable: Revocable) => revocable.requestedAt < Number.POSITIVE_INFINITY

  /** Runs `work`, which revokes these. If it fails, the revocation counts as requested but not as acknowledged. */
  const revoke = async (revoked: readonly Revocable[], work: () => Promise<unknown>): Promise<boolean> => {
    for (const revocable of revoked) revocable.requestedAt = Math.min(revocable.requestedAt, now())
    try {
      await work()
      for (const revocable of revoked) revocable.acknowledgedAt = Math.min(revocable.acknowledgedAt, now())
      return true
    } catch {
      count('failed revocations')
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
    const dependencies = [...identitiesOf(from), ...identitiesOf(to), ...(to.card ? [to.card] : [])]
    // If a version changed during the request, its dependencies are uncertain, and the introduction is not used.
    if (dependencies.some((dependency, i) => dependency !== before[i])) return
    introductions.push({ handle: newRevocable(`int ${from.name} ${to.name}`), id: introductionId, from, to, dependencies })
    count('introductions')
  }
  const delegable = { delegation: { depth: 1, rights: [{ audience: target.agent.audience, scope: 'ocr:read' }] } }

  const issue = async (introduced: Introduced, subject?: IssuedToken): Promise<void> => {
    const { from, to } = introduced
    const task =
      subject?.task ?? (random() < 0.6 ? pick(tasks.filter(({ owner, handle }) => owner === from && !isRevoked(handle))) : undefined)
    const chain = subject ? [subject.holder, from] : [from]
    const read = () => [
      ...chain.flatMap(versionsOf),
      ...(to.card ? [to.card] : []),
      ...chain.map(({ key }) => key),
      ...chain.flatMap(identitiesOf),
      ...identitiesOf(to),
    ]
    const before = read()
    const own = newRevocable(`tok ${tokens.length}`)
    const { accessToken } = await from.agent.exchange({
      audience: to.agent.audience,
      scope: 'ocr:read',
      ...(subject ? { subjectToken: subject.text } : task && { taskId: task.id }),
      ...(to === middle && delegable),
    })
    const after = read()
    const certain = before.filter((dependency, i) => dependency === after[i])
    const uncertain = [...before, ...after].filter((dependency) => !certain.includes(dependency))
    const inherited = [
      ...chain.flatMap(identitiesOf),
      ...identitiesOf(to),
      introduced.handle,
      ...(task ? [task.handle] : []),
      ...(subject ? [...subject.inherited, subject.handle] : []),
    ]
    // The newest valid introduction between two agents counts. If there are several, the oracle makes no claim about them.
    const rivals = introductions.filter((one) => one !== introduced && one.from === from && one.to === to)
    const dependencies = new Set([
      ...certain,
      ...inherited.filter((dependency) => !uncertain.includes(dependency) && (rivals.length === 0 || dependency !== introduced.handle)),
      own,
    ])
    tokens.push({
      handle: own,
      text: accessToken,
      holder: from,
      audience: to,
      ...(task && { task }),
      dependencies,
      uncertain: new Set([
        ...uncertain,
        ...rivals.map((one) => one.handle),
        ...introduced.dependencies,
        introduced.handle,
        ...(subject?.uncertain ?? []),
      ]),
      inherited: new Set(inherited.filter((dependency) => dependencies.has(dependency))),
    })
    count('tokens')
  }

  const check = async (token: IssuedToken): Promise<void> => {
    const sentAt = now()
    let isActive: boolean
    try {
      // The operator may introspect every token, and is never revoked.
      isActive = (await registry.operator.introspect(token.text)).active === true
    } catch {
      count('without response')
      return
    }
    const receivedAt = now()
    count(isActive ? 'active' : 'inactive')
    const revoked = [...token.dependencies].find(({ acknowledgedAt }) => acknowledgedAt < sentAt)
    if (isActive && revoked)
      violations.push(
        `seed ${seed}: ${token.handle.name} is active, although the revocation of ${revoked.name} was acknowledged before the introspection`,
      )
    const mayBeRevoked = [...token.dependencies, ...token.uncertain].some(({ requestedAt }) => requestedAt < receivedAt)
    if (!isActive && !mayBeRevoked)
      violations.push(`seed ${seed}: ${token.handle.name} is inactive, although no revocation of its dependencies had been requested`)
  }

  const PAIRS = [
    [caller, target],
    [child, target],
    [caller, middle],
    [child, middle],
    [middle, target],
  ] as const
  const isValid = ({ handle, dependencies }: Introduced) => !isRevoked(handle) && !dependencies.some(isRevoked)

  // ---- operations
  const operations: [number, () => Promise<unknown>][] = [
    [
      10,
      async () => {
        const chosen = pick(introductions.filter((one) => isValid(one) && !one.from.suspended))
        if (chosen) await issue(chosen)
      },
    ],
    [
      4,
      async () => {
        const received = pick(tokens.filter(({ audience, handle }) => audience === middle && !isRevoked(handle)))
        const onward = pick(introductions.filter((one) => one.from === middle && one.to === target && isValid(one)))
        if (received && onward) await issue(onward, received)
      },
    ],
    [
      5,
      async () => {
        const missing = PAIRS.filter(([from, to]) => !introductions.some((one) => one.from === from && one.to === to && isValid(one)))
        const [from, to] = pick(missing) ?? pick(PAIRS) ?? [caller, target]
        await introduce(from, to, to === middle ? delegable : undefined)
      },
    ],
    [
      2,
      async () => {
        const owner = pick([caller, child]) ?? caller
        const parent = random() < 0.4 ? pick(tasks.filter((one) => one.owner === owner && !isRevoked(one.handle))) : undefined
        const { taskId } = await owner.agent.tasks.create({ description: 'x', ...(parent && { parentTaskId: parent.id }) })
        const own = parent ? parent.handle : newRevocable(`tsk ${tasks.length}`)
        tasks.push({ handle: own, id: taskId, owner })
      },
    ],
    [
      2,
      async () => {
        const valid = tokens.filter(({ handle }) => !isRevoked(handle))
        const exchanged = valid.filter((one) => valid.some(({ inherited }) => inherited.has(one.handle)))
        const token = pick(exchanged) ?? pick(valid)
        if (token) await revoke([token.handle], () => token.holder.agent.revoke(token.text))
      },
    ],
    [
      1,
      async () => {
        const task = pick(tasks.filter(({ handle }) => !isRevoked(handle)))
        // The root of a tree of tasks. Its children are revoked with it.
        const root = task && tasks.find(({ handle }) => handle === task.handle)
        if (root) await revoke([root.handle], () => root.owner.agent.tasks.end(root.id))
      },
    ],
    [
      1,
      async () => {
        const introduction = pick(introductions.filter(({ handle }) => !isRevoked(handle)))
        if (introduction)
          await revoke([introduction.handle], () =>
            introduction.from.admin.mutate('introductions.revoke', { introductionId: introduction.id }),
          )
      },
    ],
    [
      1,
      async () => {
        const subject = pick(subjects.filter(({ suspended }) => !suspended))
        if (!subject) return
        subject.suspended = true
        await revoke([subject.identity], () => subject.admin.mutate('agents.suspend', { agentId: subject.agent.agentId }))
      },
    ],
    [
      3,
      async () => {
        const subject = pick(subjects.filter(({ suspended }) => suspended))
        if (!subject) return
        await subject.admin.mutate('agents.reinstate', { agentId: subject.agent.agentId })
        subject.identity = newRevocable(`agt ${subject.name} again`)
        subject.suspended = false
      },
    ],
    [
      1,
      async () => {
        const subject = pick([caller, child, middle]) ?? caller
        const rights = subject === middle ? [target.agent] : [target.agent, middle.agent]
        const old = subject.ceiling
        if (
          await revoke([old], () => subject.admin.mutate('agents.change', { agentId: subject.agent.agentId, ceiling: ceilingOf(rights) }))
        )
          subject.ceiling = newRevocable(`ver ${subject.name} again`)
        else subject.ceiling = { ...newRevocable(`ver ${subject.name} unknown`), requestedAt: now() }
      },
    ],
    [
      1,
      async () => {
        const subject = pick([target, middle]) ?? target
        const old = subject.card
        subject.port++
        if (old && (await revoke([old], () => publish(subject)))) subject.card = newRevocable(`card ${subject.name} again`)
        else subject.card = { ...newRevocable(`card ${subject.name} unknown`), requestedAt: now() }
      },
    ],
    [
      1,
      async () => {
        const subject = pick([caller, middle]) ?? caller
        const signer = await newEs256Signer()
        const { agentId } = subject.agent
        const proof = await proveKey({ signer, clock: registry.clock, random: systemRandom }, { issuer: registry.issuer, owner: agentId })
        const { keyId } = await subject.admin.mutate<{ keyId: string }>('keys.register', {
          owner: agentId,
          use: 'client',
          jwk: signer.publicJwk,
          proof,
        })
        const [old, oldCard, oldKey] = [subject.key, subject.card, subject.keyId]
        subject.agent = {
          ...subject.agent,
          ...createAgent({ issuer: registry.issuer, clientId: agentId, signer, clock: registry.clock }),
          signer,
        }
        subject.key = newRevocable(`key ${subject.name} again`)
        subject.keyId = keyId
        // The old key signed the card, so its version ends too.
        await revoke([old, ...(oldCard ? [oldCard] : [])], () => subject.admin.mutate('keys.revoke', { keyId: oldKey }))
        if (oldCard) {
          subject.port++
          await publish(subject)
          subject.card = newRevocable(`card ${subject.name} under another key`)
        }
      },
    ],
    [
      0.8,
      async () => {
        if (!isRevoked(orgA) && done > steps * 0.8)
          await revoke([orgA], () => registry.operator.mutate('organisations.revoke', { orgId: first.orgId }))
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
      // The request was refused or the server crashed, so the oracle makes no claim.
      count(error instanceof Error && 'reason' in error ? `refused ${String(error.reason)}` : 'lost')
      if (!(error instanceof Error && 'reason' in error)) throw error
    }
    const revoked = tokens.filter(({ dependencies }) => [...dependencies].some(isRevoked))
    const valid = tokens.filter(({ dependencies, uncertain }) => ![...dependencies, ...uncertain].some(isRevoked))
    for (const token of [pick(revoked), pick(valid), pick(tokens)]) if (token) await check(token)
  }

  for (const [from, to] of PAIRS) await introduce(from, to, to === middle ? delegable : undefined)
  // The clock ticks for retries after 503, but so slowly that no token expires.
  const ticking = setInterval(() => registry.clock.advance(0.1), 20)
  try {
    for (; done < steps; done += 3) {
      if (violations.length > 0) return { violations, counts }
      await Promise.all([step(), step(), step()])
      if (crashes && random() < 0.06) await crash(registry, random, count)
    }
    if (crashes) await crash(registry, random, count)
    // After 30 s every lease and time-out of a crashed server is over, and all servers agree.
    registry.clock.advance(31)
    for (const token of tokens) await check(token)
    // Finally one entry revokes everything of an organisation.
    await revoke([orgA], () => registry.operator.mutate('organisations.revoke', { orgId: first.orgId }))
    for (const token of tokens) await check(token)
  } finally {
    clearInterval(ticking)
  }
  return { violations, counts }
}

/** Adds a server for a while, and lets it crash between two accesses to the store. */
async function crash(registry: Registry, random: () => number, count: (event: string) => void): Promise<void> {
  const ports = registry.servers.slice(0, 2).map(({ port }) => port)
  let accessesLeft = Number.POSITIVE_INFINITY
  const gate: Gate = async (_name, work) => {
    if (accessesLeft < 0) throw new Error('this server has crashed')
    accessesLeft--
    if (accessesLeft >= 0) return work()
    // The last operation may or may not have reached the store.
    if (random() < 0.5) await work()
    throw new Error('this server has crashed')
  }
  const crashing = await registry.addServer(gate)
  accessesLeft = 5 + Math.floor(random() * 60)
  registry.front.route([...ports, crashing.port])
  setTimeout(() => registry.front.route(ports), 60)
  count('crashes')
}
