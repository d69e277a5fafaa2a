import { readdirSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { expect, test } from 'vitest'
import { schemaFiles } from '../../src/server/schemas.js'

const folder = resolve(import.meta.dirname, '../../schemas')

test('schemas/ is what `npm run schemas` would write, no more and no less', () => {
  const files = schemaFiles()
  expect(readdirSync(folder).sort()).toEqual(Object.keys(files).sort())
  for (const [file, text] of Object.entries(files))
    expect(readFileSync(resolve(folder, file), 'utf8'), `${file} has drifted: npm run schemas`).toBe(text)
})
