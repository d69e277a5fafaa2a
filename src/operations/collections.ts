import { AUDIT_ANCHORS, AUDIT_ENDINGS, AUDIT_LINKS, AUDIT_RETENTION, AUDIT_ROWS, AUDIT_WRITERS } from '../audit/store.js'
import { APPROVALS } from '../delegation/approvals/store.js'
import { CONSENT_SLOTS, CONSENTS } from '../delegation/consents/store.js'
import { INBOX, INBOX_POSITIONS, NOTIFICATION_OUTBOX } from '../delegation/inbox/store.js'
import { CAPABILITY_ASKS, CAPABILITY_JOBS, CAPABILITY_REQUESTS } from '../delegation/introductions/capability/store.js'
import { INTRODUCTIONS, REQUEST_SLOTS } from '../delegation/introductions/store.js'
import { OPEN_PAIRS, RESOURCE_URIS, RESOURCES } from '../delegation/resources/store.js'
import { NAMED_TASKS, TASKS } from '../delegation/tasks/store.js'
import { AGENT_PROFILES, USE_RECORDS } from '../delegation/uses/store.js'
import { WEBHOOK_DELIVERIES, WEBHOOKS } from '../delegation/webhooks/store.js'
import { AGENT_NAMES, AGENT_REGISTRATIONS, AGENTS, CARDS_TO_INDEX } from '../identity/agents/store.js'
import { CLIENT_RULES } from '../identity/clients/rules/store.js'
import { CLIENT_DOCUMENTS, CLIENT_USES, REGISTERED_CLIENTS } from '../identity/clients/store.js'
import { BANNED_KEYS, KEY_CODE_GENERATIONS, KEY_CODES, KEY_SLOTS, REGISTERED_KEYS } from '../identity/keys/store.js'
import { LEVELS } from '../identity/levels/store.js'
import { QUOTAS } from '../identity/limits/quotas-store.js'
import { LIMITS } from '../identity/limits/store.js'
import { INVITATIONS, MEMBERS } from '../identity/members/store.js'
import { NAMESPACE_CLAIMS, NAMESPACE_ROOTS, NAMESPACES } from '../identity/namespaces/store.js'
import { ORGANISATIONS } from '../identity/organisations/store.js'
import { FOREIGN_ISSUERS, LINKS, PASSKEYS, SESSIONS, SIGN_IN_TICKETS, SIGN_INS } from '../identity/people/store.js'
import { REGISTRATION_GRANTS } from '../identity/registrations/store.js'
import { PENDING_AUTHORIZATIONS } from '../oauth/authorize/store.js'
import { DEVICE_AUTHORIZATIONS } from '../oauth/device/store.js'
import { FAMILIES } from '../oauth/families/store.js'
import { TOKENS } from '../oauth/store.js'
import { FRESHNESS } from '../registry/cards/freshness/store.js'
import { CARDS, EARLIER_CARD_VERSIONS } from '../registry/cards/store.js'
import { TICKETS } from '../revocations/tickets-store.js'
import { REGISTRY_SECRETS, SIGNING_KEYS } from '../signing-keys/key-store.js'
import { CONSUMED_IDS } from '../storage/replay-cache.js'
import { anySpecs, type Storage } from '../storage/storage.js'
import { COSIGNED_NOTES } from '../trust-log/cosignatures/collect.js'
import { COSIGNED_TREES } from '../trust-log/cosignatures/witness-endpoint.js'
import { COSIGNED_LOGS } from '../trust-log/witness/cosigned-logs.js'

/**
 * Every collection of the registry, in the order in which the documents of an organisation are erased. Agents, members and organisations
 * are erased last, because a repeated erasure finds the remaining documents by their ids.
 */
export const COLLECTIONS = anySpecs([
  TICKETS,
  SESSIONS,
  SIGN_INS,
  SIGN_IN_TICKETS,
  PASSKEYS,
  LINKS,
  FOREIGN_ISSUERS,
  INVITATIONS,
  AGENT_REGISTRATIONS,
  REGISTRATION_GRANTS,
  REGISTERED_CLIENTS,
  CLIENT_USES,
  CLIENT_DOCUMENTS,
  NOTIFICATION_OUTBOX,
  INBOX,
  INBOX_POSITIONS,
  WEBHOOK_DELIVERIES,
  WEBHOOKS,
  CAPABILITY_JOBS,
  CAPABILITY_ASKS,
  CAPABILITY_REQUESTS,
  APPROVALS,
  INTRODUCTIONS,
  PENDING_AUTHORIZATIONS,
  DEVICE_AUTHORIZATIONS,
  FAMILIES,
  CONSENT_SLOTS,
  CONSENTS,
  OPEN_PAIRS,
  RESOURCE_URIS,
  RESOURCES,
  USE_RECORDS,
  AGENT_PROFILES,
  TOKENS,
  NAMED_TASKS,
  TASKS,
  CARDS_TO_INDEX,
  CARDS,
  EARLIER_CARD_VERSIONS,
  AGENT_NAMES,
  FRESHNESS,
  REGISTERED_KEYS,
  KEY_SLOTS,
  BANNED_KEYS,
  KEY_CODES,
  KEY_CODE_GENERATIONS,
  REQUEST_SLOTS,
  NAMESPACES,
  NAMESPACE_CLAIMS,
  NAMESPACE_ROOTS,
  LEVELS,
  LIMITS,
  CLIENT_RULES,
  QUOTAS,
  AUDIT_ROWS,
  AUDIT_RETENTION,
  AUDIT_ENDINGS,
  AUDIT_LINKS,
  AUDIT_ANCHORS,
  AUDIT_WRITERS,
  SIGNING_KEYS,
  REGISTRY_SECRETS,
  COSIGNED_LOGS,
  COSIGNED_NOTES,
  COSIGNED_TREES,
  CONSUMED_IDS,
  AGENTS,
  MEMBERS,
  ORGANISATIONS,
])

/** Opens every collection and so creates those that the store lacks. Bulk access reads only open collections. */
export function openCollections(storage: Storage): void {
  for (const spec of COLLECTIONS) storage.collection(spec)
}
