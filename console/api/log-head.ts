import { sha256 } from '#crypto'
import { send } from '../../src/client/http.js'
import { base64url, decodeUtf8 } from '../../src/lib/bytes.js'
import { clientClock } from '../../src/lib/clock.js'
import type { Snapshot } from '../../src/protocol/log/ended-set.js'
import { Entry, Position, parsePosition, positionOf } from '../../src/protocol/log/entry.js'
import type { FeedPosition } from '../../src/protocol/log/feed.js'
import { hashLeaf } from '../../src/protocol/log/merkle.js'

/** The newest position of the log, as a place from which the feed can start, with an empty set of ended handles. */
export async function readLogHead(issuer: string): Promise<{ readonly position: FeedPosition; readonly snapshot: Snapshot }> {
  const deps = { fetch: globalThis.fetch.bind(globalThis), clock: clientClock }
  const read = async (query: string) => decodeUtf8((await send(deps, `${issuer}/log/entries?${query}`)).bytes) ?? ''
  const { epoch, seq } = parsePosition(asOfIn(await read('limit=0')))
  // Each entry is a line of its own
  const lines = (await read(`from=${seq}&limit=1`)).split('\n')
  const text = lines[1] ?? ''
  const entry = Entry.parse(JSON.parse(text))
  const position = { position: positionOf(epoch, entry.seq), hash: base64url(hashLeaf(sha256, text)) }
  return { position, snapshot: { position: position.position, time: entry.time, ended: [] } }
}

const asOfIn = (text: string): Position => Position.parse((JSON.parse(text) as { asOf: unknown }).asOf)
