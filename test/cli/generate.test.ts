import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { generatedFiles } from '../../src/cli/generate.js'
import { HTTP_ENDPOINTS } from '../../src/server/api/endpoints.js'
import { describedProcedures } from '../../src/server/api/openapi.js'

const ROOT = resolve(import.meta.dirname, '../..')
const files = generatedFiles()

test.each(Object.keys(files))('%s is what `npm run generate` writes', (file) => {
  expect(readFileSync(join(ROOT, file), 'utf8')).toBe(files[file])
})

test('schemas/ holds no file that is not generated', () => {
  const generated = Object.keys(files).flatMap((file) => (file.startsWith('schemas/') ? [file.slice('schemas/'.length)] : []))
  expect(readdirSync(join(ROOT, 'schemas')).sort()).toEqual(generated.sort())
})

test('the API documents describe every HTTP path that src serves, and no other', () => {
  const sources = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
    .map((file) => file.replaceAll('\\', '/'))
    .filter((file) => file.endsWith('.ts') && !file.startsWith('server/api/') && file !== 'http/health.ts')
  const served = sources.flatMap((file) =>
    // Pages are not described, except those of the authorization endpoint
    [...readFileSync(join(ROOT, 'src', file), 'utf8').matchAll(/(?:\bpath: |\bserve\()'(\/[^']*)'|'(\/oauth\/authorize[^']*)'/g)].map(
      ([, path, page]) => path ?? page,
    ),
  )
  expect(served.length).toBeGreaterThan(15)
  const described = HTTP_ENDPOINTS.map(({ path }) => path)
  expect([...new Set(served)].filter((path) => path !== '/trpc').sort()).toEqual([...new Set(described)].sort())
})

test('the API documents describe every procedure with its scope', () => {
  const procedures = describedProcedures()
  expect(procedures.length).toBeGreaterThan(40)
  expect(procedures.find(({ path }) => path === 'cards.publish')).toMatchObject({ type: 'mutation', scope: 'cards:write' })
})

test('the OpenAPI document has an operation for every endpoint and every query and mutation', () => {
  const { paths } = JSON.parse(files['schemas/openapi.json'] ?? '')
  const operations = Object.values<object>(paths).reduce((sum, methods) => sum + Object.keys(methods).length, 0)
  const calls = describedProcedures().filter(({ type }) => type !== 'subscription')
  expect(operations).toBe(HTTP_ENDPOINTS.length + calls.length)
})
