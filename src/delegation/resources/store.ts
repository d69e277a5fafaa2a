import { z } from 'zod'
import { Handle } from '../../protocol/handles.js'
import { AgentId, Audience, MemberId, OrgId, ResourceId } from '../../protocol/ids.js'
import { IntroductionPolicy } from '../../protocol/introduction-policy.js'
import { MAX_TOKEN_SECONDS, Restrictions, Scope } from '../../protocol/rights.js'
import type { Collection, OwnedSpec, Storage } from '../../storage/storage.js'
import { type Cache, newCache } from '../../trust-log/cache.js'
import type { TrustLog } from '../../trust-log/trust-log.js'

/** A scope of a protected resource. */
const ResourceScope = z.strictObject({
  scope: Scope,
  /** Shown to people, as the resource's own prose. */
  words: z.string().min(1).max(256),
  /** Lifetime of a token with this scope. */
  seconds: z.int().min(30).max(MAX_TOKEN_SECONDS),
  /** Units of a budget that a call with this scope costs. Default: 0. */
  cost: z.int().min(0).max(1_000_000).optional(),
  /** `organisation`: each token with this scope needs the approval of a member of the organisation. Default: `none`. */
  approval: z.enum(['none', 'organisation']).optional(),
})

/** The settings of a protected resource that its organisation chooses. */
export const ResourceSettings = z.strictObject({
  name: z.string().min(1).max(128),
  description: z.string().max(1024).optional(),
  documentation: z.string().max(2048).optional(),
  scopes: z.array(ResourceScope).min(1).max(64),
  /** Decides which requests for an introduction are granted. */
  policy: IntroductionPolicy.omit({ capabilities: true }).extend({
    /** External clients that get tokens without an introduction: `any` one by itself, or only one that acts for a person. Absent: `none`. */
    externalClients: z.enum(['none', 'withPerson', 'any']).optional(),
    /** People who may let a client act for them here: those of its organisation and of `organisations` (the default), or all. */
    people: z.enum(['organisation', 'any']).optional(),
  }),
  /** `allowed`: clients without DPoP get bearer tokens, if the registry's operator allows them too. */
  bearer: z.enum(['refused', 'allowed']),
  /** The agent under which the server of the resource follows revocations and introspects tokens. */
  operatorAgentId: AgentId.optional(),
  /** Restrictions of tokens that its server enforces. */
  understands: Restrictions.optional(),
})
export type ResourceSettings = z.infer<typeof ResourceSettings>

/** The same as input, with defaults. */
export const ResourceInput = ResourceSettings.extend({
  name: z.string().trim().min(1).max(128),
  description: z.string().trim().max(1024).optional(),
  documentation: z
    .url({ protocol: /^https$/ })
    .max(2048)
    .optional(),
  scopes: z
    .array(ResourceScope.extend({ words: z.string().trim().min(1).max(256), seconds: ResourceScope.shape.seconds.default(300) }))
    .min(1)
    .max(64)
    .refine((scopes) => new Set(scopes.map(({ scope }) => scope)).size === scopes.length, 'a scope appears twice'),
  policy: ResourceSettings.shape.policy.prefault({ mode: 'ask' }),
  bearer: ResourceSettings.shape.bearer.default('refused'),
})

/** A protected resource: an API or an MCP server, which is not an agent. Tokens name it by its URI. */
export const Resource = ResourceSettings.extend({
  id: ResourceId,
  orgId: OrgId,
  /** Never changes. */
  uri: Audience,
  /** Handle of kind `res:`. */
  handle: Handle,
  /** Version of the settings that decisions read, a handle of kind `ver:`. */
  ver: Handle,
  createdAt: z.int().min(0),
  createdBy: z.union([MemberId, AgentId]),
  /** The identities with which it was registered. */
  grantedBy: z.array(Handle).max(16).optional(),
  /** The identities with which its settings were changed, latest first, and when last: a change merges earlier ones. */
  changedBy: z.array(Handle).max(32).optional(),
  changedAt: z.int().min(0).optional(),
  /** Epoch seconds at which its server proved that it is this resource, or the operator confirmed it. */
  provedAt: z.int().optional(),
  /** Changes with every change, so that of two at the same time one fails. */
  changeId: z.string().max(22).optional(),
  revokedAt: z.int().optional(),
})
export type Resource = z.infer<typeof Resource>

/** The one resource that was proved for a URI. */
const ProvedUri = z.strictObject({ id: Audience, resourceId: ResourceId, orgId: OrgId })
type ProvedUri = z.infer<typeof ProvedUri>

/**
 * The introduction that the policy `open` granted to a pair at its first token request, of which there is one at a time; or the mark that the
 * resource has revoked an introduction of the pair, which must ask from then on.
 */
const OpenPair = z.strictObject({
  /** `<agent> <resource>`. */
  id: z.string().max(64),
  from: AgentId,
  isRevoked: z.literal(true).optional(),
  expiresAt: z.int(),
})
type OpenPair = z.infer<typeof OpenPair>

export interface ResourcesStore extends Collection<Resource> {
  readonly uris: Collection<ProvedUri>
  readonly openPairs: Collection<OpenPair>
  /** Resources that may have tokens, by URI and by id. */
  readonly audiences: Cache<{ readonly resource: Resource; readonly organisation: Handle }>
}

export const RESOURCES: OwnedSpec<Resource> = {
  name: 'resources',
  schema: Resource,
  key: 'id',
  indexes: {
    organisation: { fields: ['orgId', 'createdAt'] },
    uri: { fields: ['uri', 'createdAt'] },
    operatorAgent: { fields: ['operatorAgentId', 'createdAt'] },
    grantedBy: { fields: ['grantedBy', 'createdAt'] },
    changedBy: { fields: ['changedBy', 'changedAt'] },
  },
  ownedBy: ['orgId'],
}

export const RESOURCE_URIS: OwnedSpec<ProvedUri> = {
  name: 'resource-uris',
  schema: ProvedUri,
  key: 'id',
  indexes: {},
  ownedBy: ['orgId'],
}

export const OPEN_PAIRS: OwnedSpec<OpenPair> = {
  name: 'open-pairs',
  schema: OpenPair,
  key: 'id',
  indexes: {},
  expires: 'expiresAt',
  ownedBy: ['from'],
}

export const resourcesStore = ({ storage, trustLog }: { readonly storage: Storage; readonly trustLog: TrustLog }): ResourcesStore => ({
  ...storage.collection(RESOURCES),
  uris: storage.collection(RESOURCE_URIS),
  openPairs: storage.collection(OPEN_PAIRS),
  // Prose and added scopes change no handle
  audiences: newCache(trustLog, ({ type }) => type === 'record.changed'),
})
