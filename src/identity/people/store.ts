import { z } from 'zod'
import { Handle } from '../../protocol/handles.js'
import { EntryId, IssuerId, LinkId, MemberId, OrgId, RegisteredKeyId, SessionId } from '../../protocol/ids.js'
import type { Collection, OwnedSpec, Storage } from '../../storage/storage.js'

/** Authentication methods (RFC 8176): `pop`, a key; `user`, the authenticator has verified its user; `fed`, an OpenID Provider. */
const Amr = z.array(z.string().max(16)).max(4)

/** The member that a browser may sign in as, and the handles by which it may. */
const SignInGrant = z.strictObject({
  memberId: MemberId,
  amr: Amr,
  /** The registered key or the account at a foreign issuer by which the person signs in, the member with its organisation, and the epoch. */
  dependsOn: z.array(Handle).max(16),
})
export type SignInGrant = z.infer<typeof SignInGrant>

/** A session of a browser. Only the digest of the cookie's secret is stored. */
export const Session = SignInGrant.extend({
  id: SessionId,
  orgId: OrgId,
  codeHash: z.string().length(43),
  /** Time of the sign-in. */
  createdAt: z.int(),
  /** Digest of the page that sent the person to the sign-in. So the sign-in came after that page, also within the same second. */
  signedInFor: z.string().length(43).optional(),
  usedAt: z.int(),
  /** Handle of kind `ses:` on which the tokens of the session depend. Absent before the first. */
  tokensHandle: Handle.optional(),
  /** The `User-Agent` of the browser, for the list of a person's sessions. */
  browser: z.string().max(256),
  /** Absolute end. */
  endsAt: z.int(),
  /** The earlier of the absolute end and the end of the idle time. */
  expiresAt: z.int(),
})
export type Session = z.infer<typeof Session>

/** A ceremony with an authenticator that has begun. */
const PasskeyCeremony = z.strictObject({
  use: z.enum(['sign-in', 'join', 'add']),
  challenge: z.string().length(43),
  expiresAt: z.int(),
  /** For whom a passkey is registered. With `invitationId`, the member does not exist yet. */
  memberId: MemberId.optional(),
  name: z.string().max(128).optional(),
  invitationId: z.string().max(64).optional(),
})
export type PasskeyCeremony = z.infer<typeof PasskeyCeremony>

/** A passkey: a discoverable credential of an authenticator, which verifies its user. */
const Passkey = z.strictObject({
  id: RegisteredKeyId,
  memberId: MemberId,
  orgId: OrgId,
  /** Handle of kind `key:`. Sessions depend on it; no token does. */
  handle: Handle,
  /** base64url, as the authenticator chose it. */
  credentialId: z.string().max(1400),
  /** COSE key, base64url. */
  publicKey: z.string().max(2048),
  /** The authenticator's counter of signatures; 0 if it has none. */
  counter: z.int().min(0),
  /** The log entry of its registration, with the digest of the passkey. A passkey of an earlier build has none, and cannot sign in. */
  entry: EntryId.optional(),
  salt: z.string().max(64).optional(),
  grantedBy: z.array(Handle).max(16),
  createdAt: z.int(),
  usedAt: z.int(),
})
export type Passkey = z.infer<typeof Passkey>

/** A sign-in at an OpenID Provider that has begun. */
const UpstreamSignIn = z.strictObject({
  issuerId: IssuerId,
  state: z.string().length(43),
  nonce: z.string().length(43),
  verifier: z.string().length(43),
  /** The signed-in member to whom the account will be linked. */
  linkTo: MemberId.optional(),
  /** The invitation that the person redeems with the account, and the name that it has given. */
  invitation: z.strictObject({ id: z.string().max(64), name: z.string().max(128) }).optional(),
})
export type UpstreamSignIn = z.infer<typeof UpstreamSignIn>

/** An OpenID Provider whose people may sign in as members of an organisation. */
const ForeignIssuer = z.strictObject({
  id: IssuerId,
  orgId: OrgId,
  handle: Handle,
  url: z.string().max(512),
  /** The registry's `client_id` at the provider. */
  clientId: z.string().min(1).max(256),
  /** The origin of its authorization endpoint, to which the form of the sign-in leads. */
  authorizationOrigin: z.string().max(256),
  /** A person whose ID token has this value joins as `person`. Without it, people need an invitation first. */
  autoJoin: z.strictObject({ claim: z.string().min(1).max(64), value: z.string().min(1).max(256) }).optional(),
  grantedBy: z.array(Handle).max(16),
  createdAt: z.int(),
})
export type ForeignIssuer = z.infer<typeof ForeignIssuer>

/** The account of a person at an OpenID Provider. It stays after its revocation, so the account cannot join again by itself. */
const Link = z.strictObject({
  id: LinkId,
  memberId: MemberId,
  orgId: OrgId,
  issuerId: IssuerId,
  handle: Handle,
  /** Keyed hash of issuer and subject. */
  subjectHash: z.string().length(43),
  grantedBy: z.array(Handle).max(16),
  createdAt: z.int(),
})
export type Link = z.infer<typeof Link>

/** A sign-in that is not complete. `id` is the digest of its cookie. */
export const SignIn = z.strictObject({
  id: z.string().length(43),
  /** The page of this registry that the person came from, and where they return to. */
  returnTo: z.string().max(4096).optional(),
  /** The sign-in that was proved. It waits for a click of the person. */
  offered: SignInGrant.optional(),
  passkey: PasskeyCeremony.optional(),
  upstream: UpstreamSignIn.optional(),
  expiresAt: z.int(),
})
export type SignIn = z.infer<typeof SignIn>

/** The pages to which a sign-in by a ticket may lead, besides the account. The list is closed, so a ticket redirects nobody elsewhere. */
export const TicketReturnTo = z.literal('/console')
export type TicketReturnTo = z.infer<typeof TicketReturnTo>

/** A one-time ticket with which a client of the command line opens a session in a browser. `id` is the digest of its text. */
const SignInTicket = SignInGrant.extend({ id: z.string().length(43), returnTo: TicketReturnTo.optional(), expiresAt: z.int() })
type SignInTicket = z.infer<typeof SignInTicket>

export const SESSIONS: OwnedSpec<Session> = {
  name: 'sessions',
  schema: Session,
  key: 'id',
  indexes: { member: { fields: ['memberId', 'createdAt'] } },
  expires: 'expiresAt',
  ownedBy: ['orgId'],
}

export const SIGN_INS: OwnedSpec<SignIn> = {
  name: 'sign-ins',
  schema: SignIn,
  key: 'id',
  indexes: {},
  expires: 'expiresAt',
  ownedBy: 'registry',
}

export const SIGN_IN_TICKETS: OwnedSpec<SignInTicket> = {
  name: 'sign-in-tickets',
  schema: SignInTicket,
  key: 'id',
  indexes: {},
  expires: 'expiresAt',
  ownedBy: ['memberId'],
}

/** The key is the credential, because a sharded collection can have no other unique field. */
export const PASSKEYS: OwnedSpec<Passkey> = {
  name: 'passkeys',
  schema: Passkey,
  key: 'credentialId',
  indexes: { member: { fields: ['memberId', 'createdAt'] }, id: { fields: ['id'] }, grantedBy: { fields: ['grantedBy', 'createdAt'] } },
  ownedBy: ['orgId'],
}

export const FOREIGN_ISSUERS: OwnedSpec<ForeignIssuer> = {
  name: 'foreign-issuers',
  schema: ForeignIssuer,
  key: 'id',
  indexes: { organisation: { fields: ['orgId', 'createdAt'] }, grantedBy: { fields: ['grantedBy', 'createdAt'] } },
  ownedBy: ['orgId'],
}

/** The key is the account, because a sharded collection can have no other unique field. */
export const LINKS: OwnedSpec<Link> = {
  name: 'links',
  schema: Link,
  key: 'subjectHash',
  indexes: { member: { fields: ['memberId', 'createdAt'] }, id: { fields: ['id'] }, grantedBy: { fields: ['grantedBy', 'createdAt'] } },
  ownedBy: ['orgId'],
}

export interface PeopleStore {
  readonly sessions: Collection<Session>
  readonly signIns: Collection<SignIn>
  readonly tickets: Collection<SignInTicket>
  readonly passkeys: Collection<Passkey>
  readonly issuers: Collection<ForeignIssuer>
  readonly links: Collection<Link>
}

export const peopleStore = ({ storage }: { readonly storage: Storage }): PeopleStore => ({
  sessions: storage.collection(SESSIONS),
  signIns: storage.collection(SIGN_INS),
  tickets: storage.collection(SIGN_IN_TICKETS),
  passkeys: storage.collection(PASSKEYS),
  issuers: storage.collection(FOREIGN_ISSUERS),
  links: storage.collection(LINKS),
})
