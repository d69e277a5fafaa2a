import { readdirSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { expect, test } from 'vitest'
import { schemaFiles } from '../../src/server/schemas.js'

const folder = resolve(import.meta.dirname, '../../schemas')

test('schemas/ has exactly the JSON Schemas that `npm run schemas` writes', () => {
  const files = schemaFiles()
  expect(
    readdirSync(folder)
      .filter((file) => file.endsWith('.schema.json'))
      .sort(),
  ).toEqual(Object.keys(files).sort())
  for (const [file, text] of Object.entries(files))
    expect(readFileSync(resolve(folder, file), 'utf8'), `${file} is outdated: run npm run schemas`).toBe(text)
})
