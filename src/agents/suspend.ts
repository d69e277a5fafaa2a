import type { Position } from '../protocol/entry.js'
import type { AgentId } from '../protocol/ids.js'
import type { Caller } from '../transport/caller.js'
import { endAgent } from './end-agent.js'
import type { RegisterDeps } from './register.js'

/** Ends the agent until somebody with at least this authority gives it a new handle. */
export const suspendAgent = (deps: RegisterDeps, caller: Caller, id: AgentId): Promise<{ position: Position }> =>
  endAgent(deps, caller, id, 'suspended')
