// The architecture rules of docs/ARCHITECTURE.md. Each rule first asserts that the code has a case for it, so a rule that sees nothing fails.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'

const ROOT = resolve(import.meta.dirname, '..')
const SRC = join(ROOT, 'src')

/** The chapters of src. A file imports from its own chapter or from an earlier one. */
const CHAPTERS =
  'lib protocol credentials storage http trust-log audit signing-keys revocations identity registry delegation oauth server operations (root) client verifier cli'.split(
    ' ',
  )
/** Files that every chapter may import. */
const EVERYWHERE = ['errors.ts']
const MAX_FILES_PER_FOLDER = 15
const MAX_TOP_NAMES = 22
const MAX_LINES = 300

interface Import {
  readonly file: string
  /** The module as the import names it. */
  readonly name: string
  /** The file of src that it resolves to, for a relative import. */
  readonly target: string
  readonly typeOnly: boolean
}

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .map((file) => file.replaceAll('\\', '/'))
  .filter((file) => /\.tsx?$/.test(file))
const textOf = (file: string): string => readFileSync(join(SRC, file), 'utf8')
const chapterOf = (file: string): string => (file.includes('/') ? (file.split('/')[0] ?? '') : '(root)')

/** The source file of an import that ends in `.js`: a page is a `.tsx` file. */
const sourceOf = (path: string): string =>
  existsSync(path.replace(/\.js$/, '.tsx')) ? path.replace(/\.js$/, '.tsx') : path.replace(/\.js$/, '.ts')

const imports: Import[] = files.flatMap((file) =>
  [...textOf(file).matchAll(/^(?:import|export)\s+(type\s+)?[^'"]*?from\s+'([^']+)'|^import\s+'([^']+)'|import\('([^']+)'\)/gm)].map(
    (match) => {
      const name = match[2] ?? match[3] ?? match[4] ?? ''
      const target = name.startsWith('.') ? relative(SRC, sourceOf(resolve(SRC, dirname(file), name))).replaceAll('\\', '/') : ''
      return { file, name, target, typeOnly: match[1] !== undefined }
    },
  ),
)
const local = imports.filter(({ target }) => target !== '')
const described = (list: readonly Import[]): string[] => list.map(({ file, name }) => `${file} imports ${name}`)

test('this test reads every file of src', () => {
  expect(files.length).toBeGreaterThan(300)
  expect(local.length).toBeGreaterThan(1000)
})

describe('layout', () => {
  test('the list of chapters names every folder of src and no other', () => {
    expect([...new Set(files.map(chapterOf))].sort()).toEqual([...CHAPTERS].sort())
  })

  test(`at most ${MAX_TOP_NAMES} names are at the top of src`, () => {
    expect(readdirSync(SRC).length).toBeLessThanOrEqual(MAX_TOP_NAMES)
  })

  test(`a folder has at most ${MAX_FILES_PER_FOLDER} files`, () => {
    const folders = new Map(files.map((one) => [dirname(one), files.filter((other) => dirname(other) === dirname(one))]))
    expect(folders.size).toBeGreaterThan(40)
    expect(
      [...folders].filter(([, list]) => list.length > MAX_FILES_PER_FOLDER).map(([folder, list]) => `${folder}: ${list.length}`),
    ).toEqual([])
  })

  test(`no file has more than ${MAX_LINES} lines`, () => {
    expect(files.filter((file) => textOf(file).split('\n').length > MAX_LINES + 1)).toEqual([])
  })
})

const CONSOLE = join(ROOT, 'console')
const views = readdirSync(CONSOLE, { recursive: true, encoding: 'utf8' }).filter((file) => /\.tsx?$/.test(file))
const textOfView = (file: string): string => readFileSync(join(CONSOLE, file), 'utf8')

describe('console', () => {
  test('its files and folders have the limits of src', () => {
    expect(views.length).toBeGreaterThan(30)
    expect(views.filter((file) => textOfView(file).split('\n').length > MAX_LINES + 1)).toEqual([])
    expect(views.filter((file) => views.filter((other) => dirname(other) === dirname(file)).length > MAX_FILES_PER_FOLDER)).toEqual([])
  })

  test('no view makes markup from a text, or keeps anything in a store of the browser', () => {
    const forbidden = /dangerouslySetInnerHTML|innerHTML|insertAdjacentHTML|document\.write|localStorage|indexedDB|document\.cookie/
    expect(views.filter((file) => forbidden.test(textOfView(file)))).toEqual([])
  })

  test('of the program it takes what runs in a browser, and types', () => {
    const taken = views.flatMap((file) =>
      [...textOfView(file).matchAll(/^import\s+(type\s+)?[^'"]*?from\s+'(?:\.\.\/)+src\/([^']+)'/gm)].map((match) => ({
        file,
        target: match[2] ?? '',
        typeOnly: match[1] !== undefined,
      })),
    )
    expect(taken.length).toBeGreaterThan(5)
    const isAllowed = ({ target, typeOnly }: (typeof taken)[number]) =>
      typeOnly || /^(lib|protocol|credentials|client|verifier)\//.test(target) || ['errors.js', 'http/pages/foreign.js'].includes(target)
    expect(taken.filter((one) => !isAllowed(one))).toEqual([])
  })
})

describe('imports', () => {
  test('every relative import ends in .js and names a file', () => {
    expect(described(local.filter(({ name, target }) => !name.endsWith('.js') || !existsSync(join(SRC, target))))).toEqual([])
  })

  test('a file imports from its own chapter or an earlier one', () => {
    const rank = (file: string) => CHAPTERS.indexOf(chapterOf(file))
    const later = local.filter(({ file, target }) => rank(target) > rank(file) && !EVERYWHERE.includes(target))
    const isAllowed = ({ typeOnly, target }: Import) => typeOnly && target === 'server/router.ts'
    expect(described(later.filter((one) => !isAllowed(one)))).toEqual([])
  })

  test('there are no import cycles, not even by type', () => {
    const edges = new Map(files.map((file) => [file, local.filter((one) => one.file === file).map(({ target }) => target)]))
    expect(cyclesIn(edges)).toEqual([])
  })
})

/** The import cycles of a graph, each as "a > b > a": one per strongly connected component that has more than one file. */
function cyclesIn(edges: ReadonlyMap<string, readonly string[]>): string[] {
  const done = new Set<string>()
  const cycles: string[] = []
  const visit = (file: string, path: readonly string[]): void => {
    const start = path.indexOf(file)
    if (start >= 0) cycles.push([...path.slice(start), file].join(' > '))
    if (start >= 0 || done.has(file)) return
    for (const target of edges.get(file) ?? []) visit(target, [...path, file])
    done.add(file)
  }
  for (const file of edges.keys()) visit(file, [])
  return cycles
}

test('cyclesIn finds the cycle of a graph', () => {
  const graph = { a: ['b'], b: ['c'], c: ['b'], d: ['a'] }
  expect(cyclesIn(new Map(Object.entries(graph)))).toEqual(['b > c > b'])
})

describe('modules with restricted importers', () => {
  test.each([
    ['mongodb', /^storage\/mongo\//],
    ['@photostructure/sqlite', /^storage\/sqlite\//],
    ['pino', /^server\/logger\.ts$/],
    ['prom-client', /^lib\/telemetry\/metrics\.ts$/],
    ['@opentelemetry/api', /^lib\/telemetry\/tracing\.ts$/],
    ['commander', /^cli\//],
    ['ws', /^(http|revocations)\/|^lib\/io\/websocket-node\.ts$/],
    ['jose', /^credentials\//],
    ['@sd-jwt/', /^credentials\/sd-jwt\//],
  ])('%s is imported only where it is allowed', (name, allowed) => {
    const users = imports.filter((one) => one.name === name || (name.endsWith('/') && one.name.startsWith(name)))
    expect(users).not.toEqual([])
    expect(described(users.filter(({ file }) => !allowed.test(file)))).toEqual([])
  })

  test('only stores, users of the replay cache and a few listed chapters import from the storage chapter', () => {
    const users = local.filter(({ file, target }) => chapterOf(target) === 'storage' && chapterOf(file) !== 'storage')
    expect(users.length).toBeGreaterThan(30)
    const isAllowed = ({ file, target, typeOnly }: Import) =>
      ['trust-log', 'signing-keys', 'operations', 'server'].includes(chapterOf(file)) ||
      /(^|\/)([a-z-]+-)?store\.ts$/.test(file) ||
      file === 'registry/cards/search-rows/search-rows.ts' ||
      target === 'storage/replay-cache.ts' ||
      (file === 'index.ts' && target.startsWith('storage/sqlite/')) ||
      (typeOnly && target === 'storage/storage.ts')
    expect(described(users.filter((one) => !isAllowed(one)))).toEqual([])
  })

  test('client and verifier import only lib, protocol, credentials, errors and the type of the router', () => {
    const clientImports = local.filter(({ file }) => ['client', 'verifier'].includes(chapterOf(file)))
    expect(clientImports.length).toBeGreaterThan(50)
    const isAllowed = ({ file, target, typeOnly }: Import) =>
      ['lib', 'protocol', 'credentials', 'client', chapterOf(file)].includes(chapterOf(target)) ||
      target === 'errors.ts' ||
      (typeOnly && target === 'server/router.ts')
    expect(described(clientImports.filter((one) => !isAllowed(one)))).toEqual([])
  })

  test('only server, operations and cli import the configuration, and only the configuration reads process.env', () => {
    const readers = local.filter(({ target }) => target === 'server/config.ts')
    expect(readers).not.toEqual([])
    expect(described(readers.filter(({ file }) => !['server', 'operations', '(root)', 'cli'].includes(chapterOf(file))))).toEqual([])
    expect(files.filter((file) => textOf(file).includes('process.env'))).toEqual(['server/config.ts'])
  })
})

test('every runtime dependency of package.json is imported by src', () => {
  const dependencies = Object.keys(JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).dependencies)
  expect(dependencies.length).toBeGreaterThan(8)
  const isImported = (dependency: string) => imports.some(({ name }) => name === dependency || name.startsWith(`${dependency}/`))
  expect(dependencies.filter((dependency) => !isImported(dependency))).toEqual([])
})

describe('exports', () => {
  /** The public entries of the package. Their exports need no importer in this repository. */
  const ENTRIES = ['index.ts', 'client/index.ts', 'verifier/index.ts']
  /** Imports that package.json resolves by platform, and the files that they may resolve to. */
  const PLATFORM: Readonly<Record<string, readonly string[]>> = {
    '#crypto': ['lib/crypto/crypto-node.ts', 'lib/crypto/crypto-web.ts'],
    '#websocket': ['lib/io/websocket-node.ts', 'lib/io/websocket-web.ts'],
  }
  /** The names of `{ a, type b as c }` before or after `as`. */
  const namesIn = (braces: string, side: 'before' | 'after' = 'before'): string[] =>
    braces
      .split(',')
      .map((part) =>
        part
          .trim()
          .replace(/^type\s+/, '')
          .split(/\s+as\s+|\s*:\s*/),
      )
      .map(([before = '', after = before]) => (side === 'before' ? before : after))
      .filter((name) => name !== '')
  const exportsOf = (text: string): string[] => [
    ...[...text.matchAll(/^export (?:declare )?(?:abstract )?(?:async )?(?:function\*?|const|let|class|interface|type|enum) (\w+)/gm)].map(
      (match) => match[1] ?? '',
    ),
    ...[...text.matchAll(/^export (?:type )?\{([^}]*)\}/gm)].flatMap((match) => namesIn(match[1] ?? '', 'after')),
  ]
  /** Every `<file> <name>` that a text imports from src, directly or through dist. */
  const importedIn = (path: string, text: string): string[] =>
    [
      ...text.matchAll(/(?:import|export)\s+(?:type\s+)?\{([^}]*)\}\s+from\s+'([^']+)'/g),
      ...text.matchAll(/const\s+\{([^}]*)\}\s+=\s+await\s+import\('([^']+)'\)/g),
      ...[...text.matchAll(/import\('([^']+)'\)\)?\.(\w+)/g)].map((match) => ['', match[2], match[1]]),
    ].flatMap((match) => {
      const module = match[2] ?? ''
      const path_ = relative(ROOT, resolve(dirname(path), module))
        .replaceAll('\\', '/')
        .replace(/^(src|dist)\//, '')
      const file = relative(SRC, sourceOf(join(SRC, path_))).replaceAll('\\', '/')
      return (PLATFORM[module] ?? [file]).flatMap((target) => namesIn(match[1] ?? '').map((name) => `${target} ${name}`))
    })

  test('every exported name has an importer in src, console, test, bench or examples', () => {
    const users = ['src', 'console', 'test', 'bench', 'examples']
      .flatMap((folder) => readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map((file) => join(ROOT, folder, file)))
      .filter((file) => /\.(tsx?|js|mjs)$/.test(file) && !file.includes('node_modules'))
    const imported = new Set(users.flatMap((file) => importedIn(file, readFileSync(file, 'utf8'))))
    const exported = files
      .filter((file) => !ENTRIES.includes(file))
      .flatMap((file) => [...new Set(exportsOf(textOf(file)))].map((name) => `${file} ${name}`))
    expect(exported.length).toBeGreaterThan(1000)
    expect(imported.size).toBeGreaterThan(1000)
    expect(exported.filter((one) => !imported.has(one))).toEqual([])
  })

  test('every exported name has an importer in the console', () => {
    const isImported = (name: string, by: string) =>
      new RegExp(`import[^;']*?\\b${name}\\b[^;']*?from '|\\(\\{ ${name} \\}\\)`).test(textOfView(by))
    const exported = views.flatMap((file) => exportsOf(textOfView(file)).map((name) => ({ file, name })))
    expect(exported.length).toBeGreaterThan(100)
    expect(exported.filter(({ file, name }) => !views.some((other) => other !== file && isImported(name, other)))).toEqual([])
  })

  test('every form of export and import is recognised', () => {
    const text =
      "export const a = 1\nexport async function b() {}\nexport type { C } from './c.js'\nexport { d as e, type F }\nexport interface G {}"
    expect(exportsOf(text)).toEqual(['a', 'b', 'G', 'C', 'e', 'F'])
    const use =
      "import { a, type B as C } from '../src/x.js'\nconst { d: e } = await import('../dist/y.js')\nlet f: import('../src/z.js').F"
    expect(importedIn(join(ROOT, 'test/some.test.ts'), use)).toEqual(['x.ts a', 'x.ts B', 'y.ts d', 'z.ts F'])
  })
})

describe('code', () => {
  test('only lib reads the clock and randomness', () => {
    const pattern =
      /\b(Date\.now|new Date\(\s*\)|Math\.random|performance\.now|randomUUID|randomBytes|getRandomValues|setTimeout|setInterval)\b/
    const users = files.filter((file) => pattern.test(textOf(file)))
    expect(users).not.toEqual([])
    expect(users.filter((file) => !file.startsWith('lib/'))).toEqual([])
  })

  test('the server sends requests and DNS queries only through lib/guarded-fetch, lib/hosts/resolver.ts and lib/io', () => {
    const pattern =
      /(?<![\w.])fetch\(|\bhttps?\.(request|get)\(|\{[^}]*\b(request|get|connect|createConnection|fetch)\b[^}]*\} from 'node:(http|https|http2|net|tls)'|\b(from|import)[ (]*'(node:)?(dns|dns\/promises|dgram|http2)'|\bnew WebSocket\(|'undici'/
    for (const bad of [
      'await fetch(url)',
      'https.get(url)',
      "import { request as r } from 'node:https'",
      "import { lookup } from 'node:dns'",
      "import dns from 'dns/promises'",
      "import { type Socket, connect } from 'node:net'",
    ])
      expect(pattern.test(bad), bad).toBe(true)
    for (const good of ["import { createServer } from 'node:http'", 'deps.fetch(url)', 'guardedFetch(url)'])
      expect(pattern.test(good), good).toBe(false)
    // These run elsewhere
    const server = files.filter((file) => !['client', 'verifier', 'cli'].includes(chapterOf(file)))
    const outgoing = server.filter((file) => pattern.test(textOf(file).replaceAll(/\/\/[^\n]*|\/\*.*?\*\//gs, '')))
    expect(outgoing.sort()).toEqual([
      'lib/guarded-fetch/request.ts',
      'lib/hosts/resolver.ts',
      // The operator's witness
      'lib/io/fetch-json.ts',
      // Sockets of this machine
      'lib/io/unix-socket.ts',
      // Clients in browsers
      'lib/io/websocket-web.ts',
    ])
  })

  test('only cli/output.ts and the server log write to the terminal, because they escape what they print', () => {
    const users = files.filter((file) => /\bprocess\.(stdout|stderr)\b|\bpino\.destination\b/.test(textOf(file)))
    expect(users.sort()).toEqual(['cli/output.ts', 'server/logger.ts'])
  })

  test('src has no `any`, no non-null assertion, no default export and no star export', () => {
    const pattern = /^export (default|\*)|(:|<|\bas) any\b|[\w)\]]!(\.|\[|\)|,|$)/m
    for (const bad of ['export default x', 'const a: any = 1', 'a!.b', "export * from './b.js'"]) expect(pattern.test(bad)).toBe(true)
    const code = (file: string) => textOf(file).replaceAll(/\/\/[^\n]*|\/\*.*?\*\/|'[^'\n]*'|`[^`]*`/gs, '')
    expect(files.filter((file) => pattern.test(code(file)))).toEqual([])
  })
})
