// Checks references that the compiler does not see: imports of plain JavaScript programs, and paths of built files in strings.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { expect, test } from 'vitest'

const ROOT = resolve(import.meta.dirname, '..')
const textOf = (file: string): string => readFileSync(join(ROOT, file), 'utf8')
const files = ['bench', 'test', 'examples'].flatMap((folder) =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.(js|mjs|ts|mts)$/.test(file) && !file.includes('node_modules'))
    .map((file) => join(folder, file)),
)
const programs = files.filter((file) => /\.m?js$/.test(file))

/** The source file of a built file. */
const sourceOf = (path: string): string => path.replace(/^dist\/(.*)\.js$/, 'src/$1.ts')

/** Every relative import of a program: its target file and the imported names. */
const imports = programs.flatMap((file) =>
  [...textOf(file).matchAll(/^import (?:\{([^}]*)\} from )?'(\.[^']+)'|\bimport\('(\.[^']+)'\)/gm)].map(([, names, from, lazily]) => ({
    file,
    target: sourceOf(relative(ROOT, resolve(ROOT, dirname(file), from ?? lazily ?? ''))),
    names: (names ?? '').split(',').flatMap((name) => name.trim().split(' as ')[0] || []),
  })),
)

test('the check finds the imports of the programs', () => {
  expect(imports.filter(({ target }) => target.startsWith('src/')).length).toBeGreaterThan(40)
  expect(imports.filter(({ names }) => names.length > 0).length).toBeGreaterThan(100)
})

test('every relative import of a program names an existing file and an exported name', () => {
  const isExported = (target: string, name: string) => new RegExp(`^export [^=(]*\\b${name}\\b`, 'm').test(textOf(target))
  const missing = imports.flatMap(({ file, target, names }) =>
    existsSync(join(ROOT, target))
      ? names.filter((name) => !isExported(target, name)).map((name) => `${file}: ${target} has no ${name}`)
      : [`${file}: ${target} does not exist`],
  )
  expect(missing).toEqual([])
})

test('every path of a built file in a program, test or package.json has its source file', () => {
  // architecture.test.ts has a sample import of a file that does not exist
  const readers = files.filter((file) => file !== 'test/architecture.test.ts')
  const named = [...readers, 'package.json'].flatMap((file) =>
    [...textOf(file).matchAll(/\bdist\/[\w/-]+\.js\b/g)].map(([path]) => ({ file, target: sourceOf(path) })),
  )
  expect(named.length).toBeGreaterThan(50)
  expect(named.filter(({ target }) => !existsSync(join(ROOT, target)))).toEqual([])
})
