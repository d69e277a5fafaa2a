import { expect, test } from 'vitest'
import { newRouteTable } from '../../../src/http/handler/route-table.js'

const PATHS = ['/', '/a', '/a/:id', '/a/:id/b.json', '/a/:id/:other/c', '/all/*']
const endpoint = async () => ({ status: 200 })
const find = newRouteTable([...PATHS.map((path) => ({ method: 'GET' as const, path, endpoint })), { method: 'POST', path: '/a', endpoint }])

test.each([
  ['/', '/', {}],
  ['/a', '/a', {}],
  ['/a/x', '/a/:id', { id: 'x' }],
  ['/a/', '/a/:id', { id: '' }],
  ['/a/:id', '/a/:id', { id: ':id' }],
  ['/a/x%2Fy', '/a/:id', { id: 'x%2Fy' }],
  ['/a/x/b.json', '/a/:id/b.json', { id: 'x' }],
  ['/a//b.json', '/a/:id/b.json', { id: '' }],
  ['/a/x/y/c', '/a/:id/:other/c', { id: 'x', other: 'y' }],
  ['/all/', '/all/*', {}],
  ['/all/x/y', '/all/*', {}],
])('%s matches %s', (path, pattern, params) => {
  const found = find(path)
  expect([found?.path, { ...found?.encodedParams }]).toEqual([pattern, params])
})

test.each([
  '',
  '*',
  '//',
  '/A',
  '/a/x/',
  '/a/x/bxjson',
  '/a/x/b.json/',
  '/all',
  '/constructor',
  '/__proto__',
  'x/a',
])('%s matches no pattern', (path) => {
  expect(find(path)).toBeUndefined()
})

test('a path has the routes of all its methods', () => {
  expect(find('/a')?.routes.map(({ method }) => method)).toEqual(['GET', 'POST'])
})
