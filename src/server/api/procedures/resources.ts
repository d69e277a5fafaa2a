/** The part of the list in procedures.ts about protected resources. */
export const RESOURCE_PROCEDURES: Readonly<Record<string, { readonly summary: string; readonly caller: string }>> = {
  'resources.register': {
    summary: 'Register a protected resource (an API or an MCP server): its URI, scopes, policy and whether it accepts bearer tokens.',
    caller: 'members',
  },
  'resources.change': {
    summary: 'Change settings of a resource; null removes an optional one. Unless only prose and added scopes differ, issued tokens end.',
    caller: 'members of its organisation',
  },
  'resources.get': {
    summary: 'Return a resource, with the document that its server serves.',
    caller: 'members of its organisation, operators',
  },
  'resources.list': { summary: 'List the resources of an organisation, newest first.', caller: 'members of the organisation, operators' },
  'resources.prove': {
    summary:
      'Read the metadata at the URI of a resource. If they name it, the resource can have tokens. The first proof of a URI takes it.',
    caller: 'members of its organisation',
  },
  'resources.confirm': { summary: 'Accept a resource whose server the registry cannot reach, without the proof.', caller: 'operators' },
  'resources.revoke': {
    summary: 'End a resource, every introduction to it and every token for it.',
    caller: 'administrators, the member who registered it, operators',
  },
}
