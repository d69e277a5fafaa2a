import type { Caller } from '../../http/caller.js'
import type { RevocationReason } from '../../protocol/end-reason.js'
import type { AgentId } from '../../protocol/ids.js'
import type { Position } from '../../protocol/log/entry.js'
import type { AgentsDeps } from './authority.js'
import { endAgent } from './end-agent.js'

/** Ends the agent's handle. A caller with at least the same authority may later reinstate the agent with a new handle. */
export const suspendAgent = (deps: AgentsDeps, caller: Caller, id: AgentId, because: RevocationReason): Promise<{ position: Position }> =>
  endAgent(deps, caller, id, 'suspended', because)
