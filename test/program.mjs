// The program that tests start. In tests it is the built program in few files, because `credence serve` otherwise spends more than half of its
// start on reading some 800 modules. test/cli/commands/serve.test.ts starts it as it is published.
import { chmodSync, copyFileSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

const ROOT = resolve(import.meta.dirname, '..')
const BUILT = join(ROOT, 'dist/cli/main.js')
/** These load a native module by its place. */
const EXTERNAL = ['@photostructure/sqlite']
/** Packages in CommonJS call `require` for the modules of Node. */
const BANNER = "import { createRequire as newRequire } from 'node:module'; const require = newRequire(import.meta.url)"

let program

/** The path of main.js. The first call in a test process takes a second. */
export function programFile() {
  if (!process.env.VITEST) return BUILT
  program ??= bundle()
  return program
}

/** The folder looks like that of the package: the program reads its version from package.json. */
function bundle() {
  const folder = mkdtempSync(join(tmpdir(), 'credence-program-'))
  // Some tests start the program as another user
  chmodSync(folder, 0o755)
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  copyFileSync(join(ROOT, 'package.json'), join(folder, 'package.json'))
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  const outdir = join(folder, 'dist/cli')
  createRequire(import.meta.url)('esbuild').buildSync({
    entryPoints: [BUILT],
    outdir,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    external: EXTERNAL,
    banner: { js: BANNER },
    logLevel: 'error',
  })
  return join(outdir, 'main.js')
}
