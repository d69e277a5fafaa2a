import type { RevocationReason } from '../../protocol/end-reason.js'

/** Describes the reasons of an ending for docs/API.md. */
export const END_REASONS: Readonly<Record<RevocationReason['reason'], string>> = {
  unspecified: 'no reason was given (the default)',
  superseded: 'something newer replaces it; the registry itself gives this reason when a new version of a record ends the old one',
  compromised: 'a key, token or agent may be in the hands of an attacker; `keys.compromise` always gives this reason',
  no_longer_needed: 'the work is done, or nothing uses the permission any more',
  policy: 'a rule of the organisation or of the operator no longer allows it',
  user_request: 'the person for whom the work is done asked for it',
  suspicious_task_pattern: 'the calls or tokens of a task do not fit its purpose',
}
