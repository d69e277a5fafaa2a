import type { FindHistory } from '../../audit/history.js'
import type { Caller } from '../../http/caller.js'
import { findUses } from '../uses/find.js'
import { type ConsentDeps, seesPerson } from './authority.js'
import { stateOf } from './find.js'
import type { Consent } from './store.js'

/** A consent as the person and administrators see it. Only the person's side sees the member id. */
export type ConsentView = Awaited<ReturnType<typeof viewOf>>

export async function viewOf(deps: ConsentDeps, caller: Caller, consent: Consent, now: number, findHistory: FindHistory) {
  const { id, memberId, clientId, audience, bounds, taskId, handle, dependsOn, createdAt, expiresAt } = consent
  const state = stateOf(deps, consent, now)
  const [personId, { uses, lastUsedAt }, ending] = await Promise.all([
    deps.pairwiseIds(memberId, `client:${clientId}`),
    findUses(deps, { kind: 'consent', id }),
    state === 'valid' ? undefined : findHistory([handle, ...dependsOn], expiresAt),
  ])
  return {
    consentId: id,
    state: ending && state === 'expired' ? ('revoked' as const) : state,
    memberId: seesPerson(caller, consent) ? memberId : undefined,
    /** The person as the client knows it. */
    personId,
    client: clientId,
    audience,
    rights: bounds.scopes.map((scope) => ({ audience, scope })),
    tools: bounds.tools,
    resources: bounds.resources,
    delegation: bounds.delegation,
    taskId,
    grantedAt: createdAt,
    until: expiresAt,
    uses,
    lastUsedAt,
    handles: [handle, ...dependsOn],
    ...ending,
  }
}
