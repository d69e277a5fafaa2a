import { refuse } from '../../errors.js'
import { type HttpRequest, json, jsonText, type Route } from '../../http/route.js'
import { concatBytes, utf8 } from '../../lib/bytes.js'
import type { Position } from '../../protocol/log/entry.js'
import type { CosignedCheckpoints } from '../cosignatures/collect.js'
import type { ServedTrustLog } from '../trust-log.js'

interface LogEndpointsDeps {
  readonly trustLog: ServedTrustLog
  /** Absent without configured witnesses. */
  readonly cosigned?: CosignedCheckpoints | undefined
}

/** A larger `limit` is lowered to this. */
const MAX_ENTRIES = 1000

/** Public endpoints of the trust log. They need no token, because the log contains nothing private. */
export const logEndpoints = ({ trustLog, cosigned }: LogEndpointsDeps): Route[] => [
  {
    method: 'GET',
    path: '/log/checkpoint',
    endpoint: async (request) => ({
      status: 200,
      headers: { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' },
      body: isCosignedWanted(request) ? await newestCosigned(cosigned) : await newest(trustLog, cosigned),
    }),
  },
  {
    method: 'GET',
    path: '/log/entries',
    endpoint: async (request) => {
      const from = numberOf(request, 'from') ?? 0
      const limit = Math.min(numberOf(request, 'limit') ?? 100, MAX_ENTRIES)
      const texts = await trustLog.entryTexts(from, limit)
      return jsonText(200, pageOf(texts, trustLog.position))
    },
  },
  {
    method: 'GET',
    path: '/log/inclusion',
    endpoint: async (request) => {
      const seq =
        numberOf(request, 'seq') ??
        refuse('bad_input', 'seq is missing', { faults: [{ pointer: '/seq', hint: 'the number of the entry' }] })
      return json(
        200,
        (await trustLog.inclusion(seq, numberOf(request, 'size'))) ?? refuse('not_found', 'the tree of this size has no such entry'),
      )
    },
  },
  {
    method: 'GET',
    path: '/log/consistency',
    endpoint: async (request) => {
      const from =
        numberOf(request, 'from') ??
        refuse('bad_input', 'from is missing', { faults: [{ pointer: '/from', hint: 'the size of the older tree' }] })
      return json(
        200,
        (await trustLog.consistency(from, numberOf(request, 'to'))) ?? refuse('not_found', 'the log has no tree of this size'),
      )
    },
  },
]

async function newest(trustLog: ServedTrustLog, cosigned: CosignedCheckpoints | undefined): Promise<string> {
  const note = await trustLog.checkpoint()
  return cosigned ? cosigned.withCosignatures(note) : note
}

const newestCosigned = async (cosigned: CosignedCheckpoints | undefined): Promise<string> =>
  (await cosigned?.newest()) ?? refuse('not_found', 'no witness has cosigned a checkpoint of this log')

function isCosignedWanted({ query }: HttpRequest): boolean {
  const values = query.getAll('cosigned')
  return values.length === 0 || (values.length === 1 && values[0] === 'true')
    ? values.length > 0
    : refuse('bad_input', 'cosigned is not true', {
        faults: [{ pointer: '/cosigned', hint: 'true, or no parameter for the newest checkpoint' }],
      })
}

/** Each entry is on a line of its own, so that a client can hash the line instead of making the text again. */
function pageOf(texts: readonly Uint8Array[], asOf: Position): Uint8Array {
  const lines = texts.flatMap((text, i) => (i === 0 ? [text] : [BETWEEN_LINES, text]))
  return concatBytes(utf8('{"entries":[\n'), ...lines, utf8(`\n],"asOf":"${asOf}"}`))
}
const BETWEEN_LINES = utf8(',\n')

function numberOf({ query }: HttpRequest, name: string): number | undefined {
  const values = query.getAll(name)
  const [text] = values
  if (text === undefined) return undefined
  const isValid = values.length === 1 && /^(0|[1-9]\d{0,14})$/.test(text)
  return isValid
    ? Number(text)
    : refuse('bad_input', `${name} is not a number`, { faults: [{ pointer: `/${name}`, hint: 'one whole number, at most 15 digits' }] })
}
