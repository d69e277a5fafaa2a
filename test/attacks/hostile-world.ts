// A registry in which every text that somebody else can write is hostile, and consoles of people who see these texts.
import { digestOfText } from '../../src/credentials/jose/digest.js'
import { peopleStore } from '../../src/identity/people/store.js'
import { systemRandom } from '../../src/lib/random.js'
import { newHandle } from '../../src/protocol/handles.js'
import { MemberId, newId } from '../../src/protocol/ids.js'
import { aPublicClient, issueGrant, register } from '../conformance/registration.js'
import { type ConsoleWorld, startConsoleWorld } from '../console/world.js'
import { aConsent } from '../oauth/authorize/person-world.js'
import { tokenRequest } from '../oauth/requests.js'
import { type Actor, type AgentActor, aCard } from '../registry.js'
import { foreign } from '../stories/browser-world.js'

export interface HostileWorld extends ConsoleWorld {
  /** The administrator of the organisation that the texts are shown to. */
  readonly acme: Actor
  /** A member of it, in the role `person`. */
  readonly mia: Actor
  readonly target: AgentActor
  readonly caller: AgentActor
  /** An introduction to `target` that waits for a decision of Acme. */
  readonly pendingId: string
  /** The ids of things whose pages are shown, by the name of the parameter in console/routes.ts. */
  readonly ids: Readonly<Record<string, readonly string[]>>
}

/** The beginnings of the hostile texts. Each must be seen on some page. */
export const MARKS = [
  'Acme Ltd',
  'Mia the member',
  'Target agent',
  'Caller agent',
  'Ocelot card',
  'Describes the card',
  'Skill name',
  'skill description',
  'ocr tag',
  'Provider of the card',
  'Words of ocr:read',
  'Purpose that was granted',
  'Purpose that waits',
  'Note of a denial',
  'Note of a revocation',
  'Description of a task',
  'Files of Acme',
  'Words of files:read',
  'Purpose of an approval',
  'External client',
  'Browser of a session',
] as const
type Mark = (typeof MARKS)[number]

const hostile = (mark: Mark, max: number): string => foreign(mark, max)
const URI = 'http://127.0.0.1:9/files'

const hostileCard = (issuer: string) =>
  aCard(
    { issuer },
    {
      name: hostile('Ocelot card', 1000),
      description: hostile('Describes the card', 1000),
      provider: { organization: hostile('Provider of the card', 1000), url: 'https://evil.example/provider' },
      documentationUrl: 'https://evil.example/documentation',
      iconUrl: 'https://evil.example/icon.svg',
      skills: [
        {
          id: 'read-page',
          name: hostile('Skill name', 1000),
          description: hostile('skill description', 1000),
          tags: ['ocr', hostile('ocr tag', 200)],
          examples: [hostile('skill description', 500)],
        },
      ],
      securitySchemes: {
        credence: {
          oauth2SecurityScheme: {
            flows: { clientCredentials: { tokenUrl: `${issuer}/oauth/token`, scopes: { 'ocr:read': hostile('Words of ocr:read', 500) } } },
          },
        },
      },
    },
  )

export async function startHostileWorld(): Promise<HostileWorld> {
  const world = await startConsoleWorld({ registration: 'open' })
  const { registry } = world
  const [acme, globex] = [await registry.organisation(hostile('Acme Ltd', 100)), await registry.organisation(foreign('Globex', 100))]
  const { code } = await acme.mutate<{ code: string }>('members.invite', { orgId: acme.orgId, role: 'person' })
  const mia = await registry.join(code, hostile('Mia the member', 128))

  const introductionPolicy = { mode: 'ask' }
  const target = await registry.agent({ registeredBy: acme, name: hostile('Target agent', 128), introductionPolicy })
  await target.publish({ card: hostileCard(registry.issuer) })
  const toTarget = [{ audience: target.audience, scope: 'ocr:read' }]
  const caller = await registry.agent({ registeredBy: globex, name: hostile('Caller agent', 128), ceiling: { rights: toTarget } })
  const introductions = await introduce({ world, acme, globex, target, toTarget, caller })

  const files = await aResource(acme, target)
  const client = await registry.agent({ registeredBy: acme, ceiling: { rights: [...toTarget, ...files.rights] } })
  await askForApproval(world, client)
  const { taskId } = await acme.tasks.create({ description: hostile('Description of a task', 1024) })
  const own = await client.tasks.create({ description: hostile('Description of a task', 1024) })
  await tokenRequest(registry, client, { grant_type: 'client_credentials', resource: URI, scope: 'files:read', task_id: own.taskId })

  const consentId = await aConsent(registry, { person: mia, client, by: acme })
  const { initialAccessToken } = await issueGrant(registry, acme)
  const client_name = hostile('External client', 128)
  const external = (await register(registry, aPublicClient({ client_name }), initialAccessToken)).body.client_id
  await plantTexts(world, acme)
  const old = await registry.agent({ registeredBy: acme })
  await acme.mutate('agents.revoke', { agentId: old.agentId, note: hostile('Note of a revocation', 256) })
  const agents = [target.agentId, caller.agentId, client.agentId]
  return {
    ...world,
    acme,
    mia,
    target,
    caller,
    pendingId: introductions.pending,
    ids: {
      agentId: agents,
      id: [target.agentId, mia.clientId],
      introductionId: Object.values(introductions),
      clientId: [external],
      taskId: [taskId, own.taskId],
      consentId: [consentId],
      memberId: [mia.clientId, acme.clientId],
      resourceId: [files.resourceId],
      orgId: [acme.orgId, globex.orgId],
      seq: ['1'],
    },
  }
}

/** A granted, a denied and a pending introduction to the target. */
async function introduce({ world, acme, globex, target, toTarget, caller }: IntroduceOptions): Promise<IntroductionIds> {
  const request = async (from: AgentActor, purpose: string) =>
    (await from.introductions.request({ to: target.agentId, purpose, scopes: ['ocr:read'] })).introductionId
  const another = () =>
    world.registry.agent({ registeredBy: globex, name: foreign(`Caller ${systemRandom.token(4)}`, 128), ceiling: { rights: toTarget } })
  const granted = await request(caller, hostile('Purpose that was granted', 512))
  await acme.introductions.approve(granted)
  const denied = await request(await another(), foreign('Purpose that was denied', 512))
  await acme.introductions.deny(denied, hostile('Note of a denial', 256))
  const pending = await request(await another(), hostile('Purpose that waits', 512))
  return { granted, denied, pending }
}
interface IntroduceOptions {
  readonly world: ConsoleWorld
  readonly acme: Actor
  readonly globex: Actor
  readonly target: AgentActor
  readonly toTarget: readonly object[]
  readonly caller: AgentActor
}
type IntroductionIds = Readonly<Record<'granted' | 'denied' | 'pending', string>>

async function aResource(acme: Actor, operator: AgentActor) {
  const words = ['files:read', 'files:write']
  const scopes = words.map((scope) => ({
    scope,
    words: hostile('Words of files:read', 256),
    ...(scope === 'files:write' && { approval: 'organisation' }),
  }))
  const { resourceId } = await acme.mutate<{ resourceId: string }>('resources.register', {
    uri: URI,
    name: hostile('Files of Acme', 128),
    scopes,
    policy: { mode: 'open', people: 'any' },
    operatorAgentId: operator.agentId,
  })
  return { resourceId, rights: words.map((scope) => ({ audience: URI, scope })) }
}

async function askForApproval({ registry }: ConsoleWorld, client: AgentActor): Promise<void> {
  const { body } = await tokenRequest(registry, client, { grant_type: 'client_credentials', resource: URI, scope: 'files:write' })
  await client.mutate('approvals.request', {
    bindingToken: body.access_request.binding_token,
    purpose: hostile('Purpose of an approval', 512),
  })
}

/** A session of a browser with a hostile name, and a sign-in provider with a hostile address. */
async function plantTexts({ registry }: ConsoleWorld, { clientId, orgId }: Actor): Promise<void> {
  const { sessions, issuers } = peopleStore(registry)
  const now = registry.clock.now()
  const dependsOn = registry.servers.map(({ trustLog }) => trustLog.epoch)
  const times = { createdAt: now, usedAt: now, endsAt: now + 3600, expiresAt: now + 3600 }
  const session = { id: newId(systemRandom, 'ses'), memberId: MemberId.parse(clientId), orgId, amr: ['pop'], codeHash: digestOfText('x') }
  await sessions.insert({ ...session, ...times, browser: hostile('Browser of a session', 256), dependsOn })
  const issuer = { id: newId(systemRandom, 'iss'), orgId, handle: newHandle(systemRandom, 'iss'), clientId: foreign('credence', 256) }
  const url = 'http://127.0.0.1:9/"><svg/onload=window.injected=1>'
  await issuers.insert({ ...issuer, url, authorizationOrigin: 'http://127.0.0.1:9', grantedBy: [], createdAt: now })
}
