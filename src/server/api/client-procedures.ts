/** The part of the list in procedures.ts about external clients. */
export const CLIENT_PROCEDURES: Readonly<Record<string, { readonly summary: string; readonly caller: string }>> = {
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
