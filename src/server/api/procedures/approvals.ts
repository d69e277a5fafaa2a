/** Descriptions of the procedures of approvals and webhooks. */
export const APPROVAL_PROCEDURES = {
  'approvals.request': {
    summary: 'Ask for the approval of a token request that was refused with `approval_required` ([APPROVALS](APPROVALS.md)).',
    caller: 'the agent whose request was refused',
  },
  'approvals.get': {
    summary:
      'Show one approval (`apr_…`), or a request for an introduction (`int_…`) in the same form, with the name of the requester and of its organisation.',
    caller: 'both sides and their organisations, operators',
  },
  'approvals.list': {
    summary:
      'List pending approvals and introduction requests, newest first: to the caller (`to`, default) or by it (`from`). State `all`: decided too.',
    caller: 'agents see their own, members those of their organisation',
  },
  'approvals.approve': {
    summary:
      'Approve a pending request, as requested or narrower (`narrow`). An approval of a token is good for one token, within an hour.',
    caller: 'members of the organisation of the audience; also its agent, except for a scope that requires a person; never the requester',
  },
  'approvals.deny': { summary: 'Deny a pending request.', caller: 'as approvals.approve' },
  'approvals.cancel': { summary: 'Cancel an approval that is pending or was not used.', caller: 'the requester, its organisation' },
  'approvals.withdraw': { summary: 'Take back an approval that was not used.', caller: 'as approvals.approve' },
  'approvals.watch': {
    summary: 'Stream the notifications about approvals and introductions after a position.',
    caller: 'agents for themselves, members for their organisation',
  },
  'webhooks.set': {
    summary:
      'Send the notifications of the organisation to a URL, all or some `events`; switches a webhook on again ([APPROVALS](APPROVALS.md#webhooks)).',
    caller: 'administrators',
  },
  'webhooks.list': { summary: 'List the webhooks of the organisation, and since when one fails or is off.', caller: 'administrators' },
  'webhooks.remove': { summary: 'Remove a webhook; its messages that wait are dropped.', caller: 'administrators' },
} as const
