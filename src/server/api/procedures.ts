import { APPROVAL_PROCEDURES } from './procedures/approvals.js'
import { CARD_PROCEDURES } from './procedures/cards.js'
import { CLIENT_PROCEDURES } from './procedures/clients.js'
import { CONSENT_PROCEDURES } from './procedures/consents.js'
import { PEOPLE_ACTIONS, PEOPLE_PROCEDURES } from './procedures/people.js'
import { RESOURCE_PROCEDURES } from './procedures/resources.js'

const ENDERS = 'its owner, administrators of its organisation, operators'

/** Describes the tRPC procedures for docs/API.md and schemas/openapi.json. A test compares this list with the router. */
export const PROCEDURES: Readonly<Record<string, { readonly summary: string; readonly caller: string }>> = {
  'organisations.create': { summary: 'Create an organisation.', caller: 'operators' },
  'organisations.get': { summary: 'Show one organisation.', caller: 'its members, operators' },
  'organisations.list': { summary: 'List organisations.', caller: 'operators see all organisations, members their own' },
  'organisations.revoke': { summary: 'Permanently revoke an organisation and everything that it owns.', caller: 'operators' },
  'limits.get': {
    summary: 'Show the limits in force of an organisation and the most that the caller may set.',
    caller: 'administrators; operators for any `organisation`',
  },
  'limits.set': {
    summary: "Replace what the caller's role has set of the limits of an organisation; an absent or null limit is reset.",
    caller: 'administrators; operators for any `organisation`',
  },
  'limits.usage': {
    summary: 'Count what the organisation and its agents use of their limits.',
    caller: 'administrators; operators for any `organisation`',
  },
  'members.invite': {
    summary: 'Issue a one-time code (7 days, five tries) with which a person joins.',
    caller: 'administrators; operators, who invite administrators only while the organisation has none',
  },
  'members.join': { summary: 'Join with a one-time code and register the first key.', caller: 'anyone with the code' },
  'members.list': { summary: 'List the members of an organisation, newest first.', caller: 'administrators, operators' },
  'members.get': { summary: 'Show one member.', caller: 'the member itself, administrators, operators' },
  'members.changeRole': { summary: 'Change the role of a member.', caller: 'administrators' },
  'members.revoke': {
    summary: "Revoke a membership; the member's keys and tokens are no longer accepted.",
    caller: 'administrators, the member itself, operators',
  },
  ...PEOPLE_PROCEDURES,
  'keys.register': {
    summary: 'Register a further key of an organisation, agent or member.',
    caller: 'administrators of the organisation; agents and members for their own keys',
  },
  'keys.list': { summary: 'List the registered keys of an owner.', caller: 'the owner, members of its organisation, operators' },
  'keys.retire': {
    summary: 'Accept no new use of a key after the overlap; tokens already issued stay valid until they expire.',
    caller: 'as keys.register, and operators',
  },
  'keys.rotate': {
    summary: 'Replace a key: the old key signs for the new one, and retires after the overlap (KEYS.md).',
    caller: 'agents and members for their own keys; administrators of the organisation',
  },
  'keys.issueCode': {
    summary:
      'Issue a one-time code (24 h, five tries) with which an agent or member registers a further key; if `revokeOthers` is true, in place of all other keys and codes.',
    caller: 'as keys.register',
  },
  'keys.withdrawCodes': { summary: 'Withdraw codes and registration access token of a client.', caller: 'as keys.register, and operators' },
  'keys.redeemCode': { summary: 'Register a key with a one-time code of `keys.issueCode`.', caller: 'anyone with the code' },
  'keys.revoke': {
    summary:
      'Revoke a key immediately, with every token that it authenticated. For the reason `compromised`, withdraws the open codes and the registration access token of its owner.',
    caller: 'as keys.register, and operators',
  },
  'keys.compromise': {
    summary:
      'Revoke a stolen key or passkey and everything that it has granted since a given time, and withdraw the open codes and the registration access token of its owner; the key is never accepted again.',
    caller: 'as keys.register, and operators',
  },
  'agents.register': {
    summary: 'Register an agent with its ceiling and introduction policy; returns a registration token (24 h, five tries).',
    caller: 'members of the organisation; agents register child agents',
  },
  'agents.confirm': { summary: "Confirm a registration with the agent's own key.", caller: 'anyone with the registration token' },
  'agents.admit': {
    summary:
      'Register an agent whose `client_id` is the URL of its metadata (Client ID Metadata Document). It authenticates with the keys of the document; its first valid assertion makes it active. Needs the setting `outgoing`.',
    caller: 'members',
  },
  'agents.get': {
    summary: 'Show one agent, by its id or by its name in an organisation (default: that of the caller).',
    caller: 'the agent, its parent agents, members of its organisation, operators',
  },
  'agents.list': {
    summary:
      'List agents, newest first; with `parent` those that this agent registered, with `memberId` those that this member registered, with `name` those whose names contain it.',
    caller:
      'members see the agents of their organisation, agents those that they registered, operators those of any organisation; with `memberId` that member, administrators and operators',
  },
  'agents.change': {
    summary: 'Change the name, ceiling or introduction policy of an agent.',
    caller: 'members of its organisation, parent agents; only administrators widen a ceiling',
  },
  'agents.suspend': {
    summary: 'Suspend an agent and revoke its tokens.',
    caller: 'members of its organisation, parent agents, the agent itself, operators',
  },
  'agents.reinstate': {
    summary: 'Reinstate a suspended agent. From then on only the audit log shows who suspended it and why.',
    caller: 'members of its organisation and parent agents, with at least the authority that suspended it; operators if an operator did',
  },
  'agents.revoke': { summary: 'Permanently revoke an agent.', caller: 'administrators, parent agents, the agent itself, operators' },
  'registrations.issue': {
    summary:
      'Issue an initial access token (shown once), with which software registers clients of the organisation at /oauth/register: `uses` times (at most 1,000) until `expiresAt` (at most 30 days), for the given grant types and at most the given ceiling.',
    caller: 'members',
  },
  'registrations.list': { summary: 'List the registration grants of the organisation that have not expired.', caller: 'members' },
  'registrations.revoke': {
    summary: 'Withdraw a registration grant; the clients that were registered with it stay.',
    caller: 'members of its organisation',
  },
  ...CLIENT_PROCEDURES,
  ...CONSENT_PROCEDURES,
  'namespaces.add': {
    summary: 'Claim a DNS name; returns the TXT record and the file of which one proves it. A claim is dropped after 7 days.',
    caller: 'administrators',
  },
  'namespaces.check': {
    summary: 'Look for the proof of a claimed namespace, or check a proved one again. Three failed checks in a row end a proof.',
    caller: 'administrators',
  },
  'namespaces.list': {
    summary: 'List the namespaces of an organisation with their state, and those that others offer to it.',
    caller: 'members of the organisation, operators',
  },
  'namespaces.transfer': {
    summary:
      'Offer a namespace to another organisation, which takes it over when it adds and proves the name (30 days); without `to`, withdraw the offer.',
    caller: 'administrators; operators once its proof has ended or its organisation is revoked',
  },
  'namespaces.remove': {
    summary: 'Drop a claim, or end a proof: cards that it verified are only signed from then on.',
    caller: 'administrators, operators',
  },
  ...RESOURCE_PROCEDURES,
  ...CARD_PROCEDURES,
  'discovery.search': {
    summary:
      'Find agents by a text and by properties of their cards, best first. `score` (0 to 100) is relevance and says nothing about trust; `why` names the words that a card has and lacks. Cards that do not follow A2A are found only with `includeNonconformant`.',
    caller: 'anyone; a token with discovery:read shows more',
  },
  'discovery.suggest': {
    summary: 'Complete the last word of a text by words of published cards.',
    caller: 'anyone; a token with discovery:read shows more',
  },
  'introductions.request': {
    summary:
      'Request an introduction to an agent (`to`, `scopes`), or to any agent with a `capability`, which may be non-public. The response to such a request does not reveal whether any agent has the capability; the agents that have it are asked later. A member makes the request for an agent of its organisation with `from`: the ceiling, quotas and policies of that agent apply.',
    caller: 'agents; members with `from`',
  },
  'introductions.get': {
    summary:
      'Show one introduction with the number of tokens issued under it (`uses`) and the time of the last; needsApproval lists what it relied on and the card no longer has.',
    caller: 'both agents and their organisations, operators',
  },
  'introductions.list': {
    summary:
      'List the introductions that others requested of the caller (role `to`, the default) or that the caller requested (`from`), newest first, with the number of tokens issued under each and the time of the last.',
    caller: 'agents see their own, members those of their organisation or of one of its agents (`agentId`), operators those of any agent',
  },
  'introductions.approve': {
    summary: 'Grant a pending request, as requested or narrower, or approve again an introduction in state needsApproval.',
    caller: 'the target agent, its organisation',
  },
  'introductions.narrow': {
    summary: 'Narrow a granted introduction. Tokens that were issued under it end; the requester may get narrower ones.',
    caller: 'the target agent, its organisation',
  },
  'introductions.deny': { summary: 'Deny a pending request.', caller: 'the target agent, its organisation' },
  'introductions.revoke': {
    summary: 'Withdraw a pending request, or revoke a granted introduction.',
    caller: 'both agents and their organisations, operators',
  },
  'introductions.inbox': {
    summary:
      'Read the notifications of an agent after a position: requests, decisions, revocations of introductions. An introduction that ends with something that it depends on has none; the revocation feed reports it.',
    caller: 'the agent',
  },
  'introductions.watch': { summary: 'Stream the notifications of an agent after a position.', caller: 'the agent' },
  ...APPROVAL_PROCEDURES,
  'tasks.create': { summary: 'Create a task or a child task.', caller: 'agents and members' },
  'tasks.get': { summary: 'Show one task.', caller: 'its owner, members of its organisation, operators' },
  'tasks.list': {
    summary: 'List tasks, newest first. `under` limits the list to the descendants of a task.',
    caller: 'agents see their own tasks, members those of their organisation',
  },
  'tasks.pause': { summary: 'End the tokens of a task and of its child tasks, and issue none until it is resumed.', caller: ENDERS },
  'tasks.resume': { summary: 'Let a paused task have tokens again.', caller: ENDERS },
  'tasks.end': { summary: 'End a task with its child tasks and every token issued for them.', caller: ENDERS },
  'tokens.lineage': {
    summary: 'Show which token came from which, for a task or a token.',
    caller: 'the agents in the chain, the organisation of the task, operators',
  },
  'tokens.list': {
    summary:
      'List the tokens of one `client`, `task` (with its child tasks), `introduction`, `consent` (at its audience) or `audience`, newest first; with `alive` only those that have not expired and stand.',
    caller:
      'the client or audience, the owner of the task, both agents of the introduction, the person of the consent; members of their organisations; operators',
  },
  'tokens.risk': {
    summary:
      'Show the usual behaviour of an agent (audiences, scopes and keys of the last 90 days), and how far its tokens of the last 24 h differ from it ([CONCEPTS](CONCEPTS.md#uses-and-risk)).',
    caller: 'the agent, members of its organisation, operators',
  },
  'tokens.verify': {
    summary:
      "Check whether a token fits one call (`scope`, `tool`, `resource`, `taskId`, `parentTaskId`, `description`), and compare it with its client's history ([CONCEPTS](CONCEPTS.md#uses-and-risk)). Revokes nothing.",
    caller:
      "the token's audience, its client, administrators of the client's organisation, operators; others get the answer for an unknown token",
  },
  'tokens.revoke': {
    summary:
      'Revoke a token (`tokenId` or `token`) and every token that came from it; with `affectedTaskChain` these tasks end in the same log entry. If the caller may not end one of them, nothing is revoked.',
    caller: "its client, administrators of the client's organisation, operators",
  },
  'tokens.settle': {
    summary:
      'Return what a token with `max_calls` has not used to the budgets of its task, once, until an hour after its expiry ([BUDGETS](BUDGETS.md)). A token that has not expired is revoked.',
    caller: "the token's audience: the agent, or the operator agent of the resource",
  },
  'revocations.watch': { summary: 'Stream revocations from a position.', caller: 'agents and members' },
  'signingKeys.list': { summary: 'List the signing keys of the registry.', caller: 'operators' },
  'signingKeys.rotate': { summary: 'Publish a new signing key for one use.', caller: 'operators' },
  'signingKeys.revoke': { summary: 'Revoke a signing key and everything that it signed.', caller: 'operators' },
  'audit.list': {
    summary:
      'List audit events of an organisation, newest first. All filters must match; `from` and `until` are epoch seconds. A call with several filters reads at most 10,000 events; if older ones remain, it returns a cursor.',
    caller: 'administrators, operators',
  },
  'audit.export': {
    summary:
      'The events of `audit.list`, oldest first and each with a `cursor` from which a later call goes on without a gap. Ends about half a minute ago, before the first event that may still be written (`until`).',
    caller: 'administrators, operators',
  },
  'audit.getRetention': {
    summary: 'Show for how many days the audit events of an organisation are kept (null: for ever) and the least that it may set.',
    caller: 'administrators, operators',
  },
  'audit.setRetention': {
    summary:
      'Set for how many days the audit events of an organisation are kept; null keeps them for ever. Each removed event leaves its time and digest, so the chain stays verifiable.',
    caller: 'administrators (`days`, at least 30), operators (`minimumDays`)',
  },
  'audit.verify': { summary: 'Verify the hash chains of the audit rows, page by page.', caller: 'administrators, operators' },
  'system.info': { summary: 'Return issuer, version, and whether this is a development registry.', caller: 'anyone' },
  'system.status': {
    summary:
      'Show the version, the position and time of the log, the state of its cosignatures, and how many entries the feed has not yet sent to the caller. `instance` has the warnings, the free disk space and the other subscribers of the instance that answers.',
    caller: 'any root token; `instance` for operators',
  },
  'system.ticket': {
    summary: 'Issue a one-time ticket (30 s) with which a browser opens the revocation feed.',
    caller: 'any root token; the feed then needs revocations:read',
  },
}

/** Every action that an audit row may name: a call of a procedure, or one of an OAuth endpoint. */
export const AUDIT_ACTIONS: ReadonlySet<string> = new Set([
  ...Object.keys(PROCEDURES),
  'oauth.authorize',
  'oauth.token',
  'oauth.introspect',
  'oauth.revoke',
  'oauth.register',
  // The registry itself
  'clients.fetch',
  ...PEOPLE_ACTIONS,
])
