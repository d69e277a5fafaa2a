import type { Caller } from '../../http/caller.js'
import type { AgentId } from '../../protocol/ids.js'
import type { Position } from '../../protocol/log/entry.js'
import type { AgentsDeps } from './authority.js'
import { endAgent } from './end-agent.js'

/** Ends the agent for ever. */
export const revokeAgent = (deps: AgentsDeps, caller: Caller, id: AgentId): Promise<{ position: Position }> =>
  endAgent(deps, caller, id, 'revoked')
