import { refuse } from '../../errors.js'
import { type HttpRequest, json, type Route } from '../../http/route.js'
import { parseJson } from '../../lib/json.js'
import { type CosignedLogsDeps, newCosignedLogs, WitnessSubmission } from './cosigned-logs.js'

interface WitnessEndpointsDeps extends CosignedLogsDeps {
  /** Names of the logs that this registry is a witness of. All others are refused. */
  readonly witnessFor: readonly string[]
}

/** The endpoints of a witness. They need no token: nothing here is private, and only checkpoints signed by a log's own keys are stored. */
export function witnessEndpoints(deps: WitnessEndpointsDeps): Route[] {
  const logs = newCosignedLogs(deps)
  const requireLog = ({ query }: HttpRequest): string => {
    const [log, ...more] = query.getAll('log')
    if (log === undefined || more.length > 0)
      return refuse('bad_input', 'log is missing or repeated', { faults: [{ pointer: '/log', hint: 'the name of one log' }] })
    return deps.witnessFor.includes(log) ? log : refuse('forbidden', 'this registry is not a witness of that log')
  }
  return [
    {
      method: 'GET',
      path: '/witness',
      endpoint: async (request) => {
        const log = requireLog(request)
        return json(200, { log, checkpoint: await logs.find(log) })
      },
    },
    {
      method: 'POST',
      path: '/witness',
      endpoint: async (request) => {
        const log = requireLog(request)
        const submission = WitnessSubmission.safeParse(parseJson(request.body))
        if (!submission.success) return refuse('bad_input', 'the body is not a checkpoint with its proofs')
        return json(200, { log, checkpoint: await logs.accept(log, submission.data) })
      },
    },
  ]
}
