/** Why a request needs an approval, as `approvals.list` and `introductions.get` name it. */
export const REASONS: Readonly<Record<string, string>> = {
  scope: 'The resource requires a person to approve a scope.',
  delegation: 'The token could be delegated to other agents.',
  policy: 'The target approves each introduction.',
  scopes: 'The request exceeds what the target grants without approval.',
  capability: 'The request is for a capability, so its target must approve it.',
  client: 'The organisation has not allowed the application.',
  adminScope: 'The organisation requires an administrator to approve a scope.',
}

/** The parts of a risk, by their codes. */
export const RISKS: Readonly<Record<string, string>> = {
  new_audience: 'The requester has not used this audience before.',
  new_scope: 'The requester has not used this scope there before.',
  rate: 'The requester requests more tokens than usual.',
  deeper: 'The token passes through more agents than before.',
  new_key: 'The key is less than a day old.',
}
