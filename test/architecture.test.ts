import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { expect, test } from 'vitest'

const SRC = resolve(import.meta.dirname, '../src')

/** A file imports from its own folder or from an earlier one. */
const ORDER =
  'lib protocol credentials storage transport trust-log audit keys revocations organisations enrolments members clients agents inbox tasks cards introductions discovery tokens holdings move organisation-data (root) client verifier cli'.split(
    ' ',
  )

interface Import {
  readonly file: string
  readonly from: string
  readonly to: string
  readonly typeOnly: boolean
}

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .map((file) => file.replaceAll('\\', '/'))

const folderOf = (file: string): string => (file.includes('/') ? (file.split('/')[0] ?? '') : '(root)')

const imports: Import[] = files.flatMap((file) => {
  const text = readFileSync(join(SRC, file), 'utf8')
  const found = [...text.matchAll(/^(?:import|export)\s+(type\s+)?[^'"]*?from\s+'([^']+)'|^import\s+'([^']+)'|import\('([^']+)'\)/gm)]
  return found.map((match) => ({
    file,
    from: folderOf(file),
    to: match[2] ?? match[3] ?? match[4] ?? '',
    typeOnly: match[1] !== undefined,
  }))
})

const local = imports
  .filter((one) => one.to.startsWith('.'))
  .map((one) => ({ ...one, target: relative(SRC, resolve(SRC, dirname(one.file), one.to)).replaceAll('\\', '/') }))
const targetFolder = (target: string): string => folderOf(target)
const told = (list: readonly { file: string; to: string }[]): string[] => list.map((one) => `${one.file} imports ${one.to}`)

test('there is code to look at', () => {
  expect(files.length).toBeGreaterThan(100)
  expect(local.length).toBeGreaterThan(300)
})

test('every folder has a place in the order', () => {
  expect([...new Set(files.map(folderOf))].filter((folder) => !ORDER.includes(folder))).toEqual([])
})

test('every relative import ends in .js and names a file', () => {
  expect(told(local.filter((one) => !one.to.endsWith('.js') || !existsSync(join(SRC, one.target.replace(/\.js$/, '.ts')))))).toEqual([])
})

test('a file imports from its own folder or an earlier one', () => {
  const late = local.filter((one) => one.target !== 'errors.js' && ORDER.indexOf(targetFolder(one.target)) > ORDER.indexOf(one.from))
  const allowed = (one: (typeof late)[number]) => one.typeOnly && one.target === 'router.js'
  expect(told(late.filter((one) => !allowed(one)))).toEqual([])
})

test('storage is imported by stores, users of once, the trust log, keys, and what serves or restores a store only', () => {
  const users = local.filter((one) => targetFolder(one.target) === 'storage' && one.from !== 'storage')
  const allowed = (one: (typeof users)[number]) =>
    one.from === 'trust-log' ||
    ['holdings', 'move', 'organisation-data'].includes(one.from) ||
    one.file === 'cards/search-rows.ts' ||
    one.from === 'keys' ||
    /(^|\/)([a-z-]+-)?store\.ts$/.test(one.file) ||
    one.target === 'storage/once.js' ||
    one.file === 'features.ts' ||
    one.file === 'open-store.ts' ||
    one.file === 'deployment.ts' ||
    (one.file === 'config.ts' && one.target === 'storage/mongo/url.js') ||
    one.file === 'copy.ts' ||
    one.file === 'organisation-data.ts' ||
    one.file === 'callee-store.ts' ||
    (one.file === 'index.ts' && one.target.startsWith('storage/sqlite/')) ||
    (one.typeOnly && one.target === 'storage/storage.js')
  expect(told(users.filter((one) => !allowed(one)))).toEqual([])
})

test('client and verifier take from the server only lib, protocol, credentials and errors', () => {
  const wrong = local.filter(
    (one) =>
      (one.from === 'client' || one.from === 'verifier') &&
      !['lib', 'protocol', 'credentials', 'client', one.from].includes(targetFolder(one.target)) &&
      one.target !== 'errors.js' &&
      !(one.typeOnly && one.target === 'router.js'),
  )
  expect(told(wrong)).toEqual([])
  expect(told(local.filter((one) => one.from === 'client' && targetFolder(one.target) === 'verifier'))).toEqual([])
})

test.each([
  ['jose', (file: string) => file.startsWith('credentials/')],
  ['@sd-jwt/', (file: string) => file.startsWith('credentials/')],
  ['mongodb', (file: string) => file.startsWith('storage/mongo/')],
  ['@photostructure/sqlite', (file: string) => file.startsWith('storage/sqlite/')],
  ['fastify', (file: string) => file.startsWith('transport/')],
  ['ws', (file: string) => /^(transport|revocations)\/|^lib\/websocket-node\.ts$/.test(file)],
])('only its place imports %s', (name, inPlace) => {
  const users = imports.filter((one) => one.to === name || (name.endsWith('/') && one.to.startsWith(name)))
  expect(told(users.filter((one) => !inPlace(one.file)))).toEqual([])
})

test('features never read the configuration', () => {
  const readers = local.filter((one) => one.target === 'config.js' && one.from !== '(root)' && one.from !== 'cli')
  expect(told(readers)).toEqual([])
  const env = files.filter((file) => file !== 'config.ts' && readFileSync(join(SRC, file), 'utf8').includes('process.env'))
  expect(env).toEqual([])
})

test('no clock and no randomness outside lib', () => {
  const forbidden =
    /\b(Date\.now|new Date\(\s*\)|Math\.random|performance\.now|randomUUID|randomBytes|getRandomValues|setTimeout|setInterval)\b/
  const wrong = files.filter((file) => !file.startsWith('lib/') && forbidden.test(readFileSync(join(SRC, file), 'utf8')))
  expect(wrong).toEqual([])
})

test('no `any`, no non-null assertion, no default export, no star export', () => {
  const forbidden = /^export (default|\*)|(:|<|\bas) any\b|[\w)\]]!(\.|\[|\)|,|$)/m
  const code = (file: string) => readFileSync(join(SRC, file), 'utf8').replaceAll(/\/\/[^\n]*|\/\*.*?\*\/|'[^'\n]*'|`[^`]*`/gs, '')
  const wrong = files.filter((file) => forbidden.test(code(file)))
  expect(wrong).toEqual([])
})

test('no file of src passes 300 lines', () => {
  expect(files.filter((file) => readFileSync(join(SRC, file), 'utf8').split('\n').length > 301)).toEqual([])
})
