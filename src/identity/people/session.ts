import type { Caller } from '../../http/caller.js'
import { sessionCookie } from '../../http/pages/cookies.js'
import type { HttpRequest } from '../../http/route.js'
import { identitiesOf } from '../../protocol/handles.js'
import type { ClientId, MemberId, SessionId } from '../../protocol/ids.js'
import { dependenciesOf, joinDependencies, stands } from '../../protocol/standing.js'
import type { Operation } from '../../storage/storage.js'
import type { TrustLog } from '../../trust-log/trust-log.js'
import type { Client } from '../clients/client.js'
import { codeStands, findByCode } from '../keys/one-time-code.js'
import type { MembersStore } from '../members/store.js'
import type { PeopleStore, Session } from './store.js'

/** A person who is signed in with a browser. Operations take it like the caller of an API request. */
export interface PersonCaller extends Caller {
  readonly kind: 'member'
  readonly id: MemberId
  readonly sessionId: SessionId
  readonly name: string
  /** Epoch seconds of the sign-in (`auth_time`). */
  readonly authAt: number
  /** Digest of the page that sent the person to the sign-in. */
  readonly signedInFor: string | undefined
  readonly amr: readonly string[]
  /** For the forms of pages (http/pages/form.tsx). It is the cookie's value: never send or log it. */
  readonly formKey: string
}

export interface SessionDeps {
  readonly people: PeopleStore
  readonly members: MembersStore
  readonly trustLog: TrustLog
  readonly findClient: (id: ClientId) => Promise<Client | undefined>
  readonly issuer: string
}

export const IDLE_SECONDS = 3600
/** A session is written at most this often to extend its idle time. */
const EXTEND_SECONDS = 60

/**
 * The person whose browser sent a request, or undefined without a session that stands. Takes the read barrier first, so a session whose
 * member, organisation or key was revoked before the request is not found.
 */
export async function findSession(deps: SessionDeps, request: HttpRequest): Promise<PersonCaller | undefined> {
  const cookie = sessionCookie(deps.issuer).read(request)
  if (cookie === undefined) return undefined
  const barrier = await deps.trustLog.readBarrier()
  const session = await findByCode(cookie, deps.people.sessions.get)
  if (!session || session.expiresAt <= barrier.now || !codeStands(deps.trustLog, session.dependsOn)) return undefined
  const [client, member] = await Promise.all([deps.findClient(session.memberId), deps.members.get(session.memberId)])
  if (!client || !member || !stands(deps.trustLog.ended, client.dependencies.handles)) return undefined
  await request.enterAs?.(member.id)
  await extend(deps, session, barrier.now)
  const dependencies = joinDependencies(client.dependencies, dependenciesOf(session.dependsOn, session.endsAt))
  return {
    kind: 'member',
    id: member.id,
    orgId: client.orgId,
    role: client.role,
    scopes: client.ceiling.rights.map(({ scope }) => scope),
    dependencies,
    identities: identitiesOf(dependencies.handles).filter((handle) => handle !== deps.trustLog.epoch),
    barrier,
    sessionId: session.id,
    name: member.name,
    authAt: session.createdAt,
    signedInFor: session.signedInFor,
    amr: session.amr,
    formKey: cookie,
  }
}

/** An operation that fails if the session has ended: put it into a commit that a sign-out must prevent. */
export const requiringSession = (
  { people }: Pick<SessionDeps, 'people'>,
  { sessionId, id }: Pick<PersonCaller, 'sessionId' | 'id'>,
): Operation => people.sessions.changing(sessionId, { memberId: id }, { memberId: id })

async function extend({ people }: SessionDeps, { id, usedAt, endsAt }: Session, now: number): Promise<void> {
  if (now - usedAt >= EXTEND_SECONDS)
    await people.sessions.change(id, { usedAt }, { usedAt: now, expiresAt: Math.min(endsAt, now + IDLE_SECONDS) })
}
