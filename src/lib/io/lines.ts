import { refuse } from '../../errors.js'
import { concatBytes, decodeUtf8 } from '../bytes.js'

const LINE_END = 0x0a

/** The lines of a text that arrives in pieces. The last one may lack its line end. Refuses a line that is longer than `maxBytes` or not UTF-8. */
export async function* linesOf(pieces: AsyncIterable<Uint8Array>, maxBytes: number): AsyncGenerator<string> {
  let n = 0
  let rest: Uint8Array[] = []
  let bytes = 0
  const add = (piece: Uint8Array) => {
    rest.push(piece)
    bytes += piece.length
    if (bytes > maxBytes) refuse('bad_input', `line ${n + 1} is longer than ${maxBytes} bytes`)
  }
  const take = (): string => {
    n++
    const line = decodeUtf8(concatBytes(...rest)) ?? refuse('bad_input', `line ${n} is not UTF-8`)
    rest = []
    bytes = 0
    return line
  }
  for await (const piece of pieces) {
    let from = 0
    for (let end = piece.indexOf(LINE_END); end >= 0; end = piece.indexOf(LINE_END, from)) {
      add(piece.subarray(from, end))
      yield take()
      from = end + 1
    }
    add(piece.subarray(from))
  }
  if (bytes > 0) yield take()
}
