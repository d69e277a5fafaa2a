import type { Caller } from '../../http/caller.js'
import type { RevocationReason } from '../../protocol/end-reason.js'
import type { AgentId } from '../../protocol/ids.js'
import type { Position } from '../../protocol/log/entry.js'
import type { AgentsDeps } from './authority.js'
import { endAgent } from './end-agent.js'

/** Permanently ends the agent's handle; a revoked agent is never reinstated. */
export const revokeAgent = (deps: AgentsDeps, caller: Caller, id: AgentId, because: RevocationReason): Promise<{ position: Position }> =>
  endAgent(deps, caller, id, 'revoked', because)
