/** The part of the list in procedures.ts about external clients and scope levels. */
export const CLIENT_PROCEDURES: Readonly<Record<string, { readonly summary: string; readonly caller: string }>> = {
  'levels.set': {
    summary: 'Create a scope level, or replace its ceiling; clients need new tokens. Agents that name it (`maxScopeLevel`) stay within it.',
    caller: 'administrators; operators for any `orgId`',
  },
  'levels.list': { summary: 'List the scope levels of an organisation.', caller: 'members; operators for any `orgId`' },
  'levels.remove': {
    summary: 'Remove a scope level that no agent uses.',
    caller: 'administrators; operators for any `orgId`',
  },
  'clients.get': {
    summary: 'Show an external client: its metadata, keys, state and last use.',
    caller: 'members of the organisation that issued its registration grant, and of those that use it; operators',
  },
  'clients.list': {
    summary:
      'List the external clients that an organisation uses: it issued their registration grant, admitted or allowed them, a resource of it gave them a token, or a person of it consented to them.',
    caller: 'members; operators for any `orgId`',
  },
  'clients.allow': {
    summary:
      'Let the people of the organisation consent to an external client, by its id or the URL of its metadata ([REGISTRATION](REGISTRATION.md#clients-of-your-people)).',
    caller: 'administrators',
  },
  'clients.disallow': {
    summary: 'Remove an external client from the allowed ones. Consents that were given stay valid until they are revoked.',
    caller: 'administrators',
  },
  'clients.rules': {
    summary: 'Show the rules of an organisation about the clients that may ask its people.',
    caller: 'members; operators for any `orgId`',
  },
  'clients.setRules': {
    summary:
      'Set to which external clients people may consent (`none`, `admitted`, `any`), and for which scopes an administrator must approve a consent. With `none` nobody connects a new program on a device, with `admitted` only members and administrators.',
    caller: 'administrators',
  },
  'clients.revoke': {
    summary: 'Permanently revoke an external client with all of its tokens.',
    caller:
      'administrators of the organisation that issued its registration grant; operators, who alone revoke one that is known by its URL',
  },
}
