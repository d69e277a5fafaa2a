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
      'List the external clients that an organisation uses: it issued their registration grant, admitted them, or a resource of it gave them a token.',
    caller: 'members; operators for any `orgId`',
  },
  'clients.revoke': {
    summary: 'Permanently revoke an external client with all of its tokens.',
    caller:
      'administrators of the organisation that issued its registration grant; operators, who alone revoke one that is known by its URL',
  },
}
