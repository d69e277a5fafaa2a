import { refuse } from '../../errors.js'
import { type HttpRequest, json, type Route } from '../../http/route.js'
import { parseJson } from '../../lib/json.js'
import { type CosignedLogsDeps, newCosignedLogs, WitnessSubmission } from './cosigned-logs.js'

export interface WitnessEndpointsDeps extends CosignedLogsDeps {
  /** Names of the logs that this registry is a witness of; of no other it remembers anything. */
  readonly witnessFor: readonly string[]
}

/** This registry as the witness of others. Nothing in it is private, and only what a log's own keys have signed is taken up: no token is needed. */
export function witnessEndpoints(deps: WitnessEndpointsDeps): Route[] {
  const logs = newCosignedLogs(deps)
  const logOf = ({ query }: HttpRequest): string => {
    const [log, ...more] = query.getAll('log')
    if (log === undefined || more.length > 0)
      return refuse('bad_input', 'log is missing', { faults: [{ pointer: '/log', hint: 'which log, once' }] })
    return deps.witnessFor.includes(log) ? log : refuse('forbidden', 'this registry is no witness of that log')
  }
  return [
    {
      method: 'GET',
      path: '/witness',
      endpoint: async (request) => {
        const log = logOf(request)
        return json(200, { log, remembered: await logs.find(log) })
      },
    },
    {
      method: 'POST',
      path: '/witness',
      endpoint: async (request) => {
        const log = logOf(request)
        const shown = WitnessSubmission.safeParse(parseJson(request.body))
        return json(200, {
          log,
          remembered: await logs.accept(log, shown.success ? shown.data : refuse('bad_input', 'this shows no checkpoint')),
        })
      },
    },
  ]
}
