// What the compiler does not see: programs in plain JavaScript that import what is built, or one another, and paths of it in texts.
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

/** What a built file is made from. */
const sourceOf = (path: string): string => path.replace(/^dist\/(.*)\.js$/, 'src/$1.ts')

/** Of every relative import: the file, and which names are taken from it. */
const imports = programs.flatMap((file) =>
  [...textOf(file).matchAll(/^import (?:\{([^}]*)\} from )?'(\.[^']+)'|\bimport\('(\.[^']+)'\)/gm)].map(([, names, from, lazily]) => ({
    file,
    target: sourceOf(relative(ROOT, resolve(ROOT, dirname(file), from ?? lazily ?? ''))),
    names: (names ?? '').split(',').flatMap((name) => name.trim().split(' as ')[0] || []),
  })),
)

test('there is something to look at', () => {
  expect(imports.filter(({ target }) => target.startsWith('src/')).length).toBeGreaterThan(40)
  expect(imports.filter(({ names }) => names.length > 0).length).toBeGreaterThan(100)
})

test('what a program imports is there, under that name', () => {
  const isExported = (target: string, name: string) => new RegExp(`^export [^=(]*\\b${name}\\b`, 'm').test(textOf(target))
  const missing = imports.flatMap(({ file, target, names }) =>
    existsSync(join(ROOT, target))
      ? names.filter((name) => !isExported(target, name)).map((name) => `${file}: ${target} has no ${name}`)
      : [`${file}: there is no ${target}`],
  )
  expect(missing).toEqual([])
})

test('every built file that is named anywhere has its source', () => {
  const named = [...files, 'package.json'].flatMap((file) =>
    [...textOf(file).matchAll(/\bdist\/[\w/-]+\.js\b/g)].map(([path]) => ({ file, target: sourceOf(path) })),
  )
  expect(named.length).toBeGreaterThan(50)
  expect(named.filter(({ target }) => !existsSync(join(ROOT, target)))).toEqual([])
})
