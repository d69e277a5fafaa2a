import { expect, test } from 'vitest'
import { linesOf } from '../../../src/lib/io/lines.js'

async function read(text: string, pieceBytes: number, maxBytes = 100): Promise<string[]> {
  const bytes = Buffer.from(text)
  const pieces = async function* () {
    for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes)
  }
  const lines: string[] = []
  for await (const line of linesOf(pieces(), maxBytes)) lines.push(line)
  return lines
}

test.each([1, 2, 3, 1000])('lines are the same whatever the size of the pieces (%i bytes)', async (pieceBytes) => {
  expect(await read('a\n\nbé😀\u2028c\r\nlast', pieceBytes)).toEqual(['a', '', 'bé😀\u2028c\r', 'last'])
  expect(await read('a\n', pieceBytes)).toEqual(['a'])
  expect(await read('', pieceBytes)).toEqual([])
})

test('a line that is too long is refused with its number', async () => {
  expect(await read('ab\nabc\n', 2, 3)).toEqual(['ab', 'abc'])
  await expect(read('ab\nabcd\n', 2, 3)).rejects.toThrow('line 2 is longer than 3 bytes')
})
