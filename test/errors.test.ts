import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { REFUSALS } from '../src/errors.js'

test('docs/ERRORS.md lists exactly the reasons of src/errors.ts, with their HTTP and tRPC codes', () => {
  const page = readFileSync(resolve(import.meta.dirname, '../docs/ERRORS.md'), 'utf8')
  const rows = [...page.matchAll(/^\| `([a-z_]+)` \| (\d{3}) \| (\w+) \|/gm)].map((match) => [match[1], Number(match[2]), match[3]])
  expect(rows.sort()).toEqual(
    Object.entries(REFUSALS)
      .map(([reason, row]) => [reason, row.http, row.trpc])
      .sort(),
  )
})

test('every reason is used in src', () => {
  const src = resolve(import.meta.dirname, '../src')
  const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((file) => /\.tsx?$/.test(file) && file !== 'errors.ts')
  const text = files.map((file) => readFileSync(join(src, file), 'utf8')).join('\n')
  expect(Object.keys(REFUSALS).filter((reason) => !text.includes(`'${reason}'`))).toEqual([])
})
