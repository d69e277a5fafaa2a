import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { expect, test } from 'vitest'
import { REFUSALS } from '../src/errors.js'

test('docs/ERRORS.md has a line for every refusal, with its HTTP status, and no other', () => {
  const page = readFileSync(resolve(import.meta.dirname, '../docs/ERRORS.md'), 'utf8')
  const rows = [...page.matchAll(/^\| `([a-z_]+)` \| (\d{3}) \|/gm)].map((match) => [match[1], Number(match[2])])
  expect(rows.sort()).toEqual(
    Object.entries(REFUSALS)
      .map(([reason, row]) => [reason, row.http])
      .sort(),
  )
})
