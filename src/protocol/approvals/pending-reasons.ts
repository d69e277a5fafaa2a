/** Why a request waits for a decision: the words for each code, on the pages and in the console. */
export const PENDING_REASONS = {
  scope: 'The resource requires a person to approve a scope.',
  delegation: 'The token could be delegated to other agents.',
  policy: 'The target approves each introduction.',
  scopes: 'The request exceeds what the target grants without approval.',
  capability: 'The request is for a capability, so its target must approve it.',
  client: 'The organisation has not allowed the application.',
  adminScope: 'The organisation requires an administrator to approve a scope.',
} as const
