import type { Approval } from '../../delegation/approvals/store.js'
import type { TaskDependencies } from '../../delegation/tasks/task-dependencies.js'
import type { PersonCaller } from '../../identity/people/session.js'
import type { Bounds } from '../../protocol/rights.js'
import type { DeviceAuthorization } from '../device/store.js'
import type { AuthorizationClient } from './client.js'
import type { Offer } from './offer.js'
import type { PendingAuthorization } from './store.js'

/** A request with its client, person, device and task. */
export interface Asked {
  readonly client: AuthorizationClient
  readonly person: PersonCaller
  readonly pending: PendingAuthorization
  /** The device that asks. Absent if a browser brings the request. */
  readonly device?: DeviceAuthorization | undefined
  readonly task: TaskDependencies | undefined
  readonly now: number
}

/** The decision of a person who allows something. */
export interface Allowed {
  readonly rights: readonly { readonly audience: Offer['audience']; readonly bounds: Bounds }[]
  /** Epoch seconds. */
  readonly until: number
  readonly isOffline: boolean
  /** Audiences to which the person introduces the client. */
  readonly introduce: readonly Offer[]
  /** The approval of an administrator that the consent takes. */
  readonly approval?: Approval | undefined
  /** The name of the agent that the decision registers. */
  readonly agentName?: string | undefined
}
