import fc from 'fast-check'
import { expect, test } from 'vitest'
import { canonical } from '../../src/credentials/jose/canonical-json.js'
import { utf8 } from '../../src/lib/bytes.js'
import type { Block } from '../../src/protocol/log/entry.js'
import { entryOf, entryTextsOf, textOfBlock } from '../../src/storage/block-text.js'

const json = fc.jsonValue({ maxDepth: 3 }).filter((value) => !/__proto__|\\ud[89a-f]/i.test(JSON.stringify(value)))
const entries = fc.array(fc.dictionary(fc.constantFrom('id', 'ends', '\n', ',\n', '],'), json), { minLength: 1, maxLength: 5 })
const blocks = fc
  .tuple(fc.dictionary(fc.constantFrom('n', 'epoch', 'weather\n'), json), entries)
  // Any JSON, because a newer build may add members
  .map(([head, list]) => ({ ...head, first: 0, entries: list.map((entry, seq) => ({ ...entry, seq })) }) as unknown as Block)
const decoded = (texts: readonly Uint8Array[]) => texts.map((text) => new TextDecoder().decode(text))

test('the text of a block is its JSON, and has the RFC 8785 text of each entry', () => {
  fc.assert(
    fc.property(blocks, (block) => {
      const text = textOfBlock(block)
      expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(block)))
      const texts = entryTextsOf(utf8(text))
      expect(decoded(texts)).toEqual(block.entries.map(canonical))
      expect(texts.map((one, i) => entryOf(one, i))).toEqual(JSON.parse(JSON.stringify(block.entries)))
    }),
  )
})

test('a block that an older release wrote has the same entries', () => {
  fc.assert(
    fc.property(blocks, (block) => {
      expect(decoded(entryTextsOf(utf8(JSON.stringify(block))))).toEqual(block.entries.map(canonical))
    }),
  )
})
