// Packs `credence-client`: the client and the verifier without the server, for agents that should not install a database driver.
//
// The package is cut from dist/, so run `npm run build` first. esbuild bundles the two entries; zod and ws stay dependencies, in the
// versions of package.json, and the small packages are bundled, because each file of a package takes at least one block of a disk. The
// declaration files that the entries reach are copied.
// Usage: node deploy/pack-client.mjs [folder for the tarball, default: the current one]. It prints the path of the tarball.
import { execFile } from 'node:child_process'
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, relative, resolve } from 'node:path'
import { promisify } from 'node:util'
import { build } from 'esbuild'

const ROOT = resolve(import.meta.dirname, '..')
const ENTRIES = { '.': 'dist/client/index', './verifier': 'dist/verifier/index' }
const DEPENDENCIES = ['ws', 'zod']
/** The look-behind skips the text `'from'` in a type. */
const IMPORT = /(?:(?<!['"])\bfrom\s*|\bimport\s*\(?\s*)['"]([^'"]+)['"]/g
const README = `# credence-client

The client and the verifier of Credence, a trust registry for A2A agents, without the registry's server.

\`\`\`js
import { createAgent } from 'credence-client'
import { createVerifier, guard } from 'credence-client/verifier'
\`\`\`

Version and source are those of the package \`credence\`: this package's entries are its \`credence/client\` and \`credence/verifier\`.
The code contains jose (MIT), @noble/hashes (MIT), @opentelemetry/api (Apache-2.0) and parts of @sd-jwt (Apache-2.0).
`

const manifest = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'))
const imports = conditionalModules()
const folder = await mkdtemp(join(tmpdir(), 'credence-client-'))
try {
  await build({
    absWorkingDir: ROOT,
    entryPoints: [
      ...Object.values(ENTRIES).map((entry) => `${entry}.js`),
      ...Object.values(imports).flatMap((targets) => Object.values(targets)),
    ],
    outdir: join(folder, 'dist'),
    outbase: 'dist',
    bundle: true,
    splitting: true,
    format: 'esm',
    target: 'es2022',
    external: ['node:*', '#*', ...DEPENDENCIES],
    legalComments: 'inline',
    // Names stay, for stack traces
    minifySyntax: true,
    minifyWhitespace: true,
    logLevel: 'error',
  })
  for (const file of await reachableDeclarations()) await writeDeclarations(file)
  await copyFile(join(ROOT, 'LICENSE'), join(folder, 'LICENSE'))
  await writeFile(join(folder, 'README.md'), README)
  await writeFile(join(folder, 'package.json'), JSON.stringify(clientManifest(), undefined, 2))
  const destination = resolve(process.argv[2] ?? '.')
  const { stdout } = await promisify(execFile)('npm', ['pack', '--json', '--pack-destination', destination], { cwd: folder })
  console.log(join(destination, JSON.parse(stdout)[0].filename))
} finally {
  await rm(folder, { recursive: true })
}

/** The built modules of package.json's `imports` by condition, without those for the project's own compilation. */
function conditionalModules() {
  const isBuilt = ([condition, target]) => target.startsWith('./dist/') && condition !== 'types'
  return Object.fromEntries(
    Object.entries(manifest.imports).map(([name, targets]) => [name, Object.fromEntries(Object.entries(targets).filter(isBuilt))]),
  )
}

/** The declaration files that the entries reach. They may import the packages of DEPENDENCIES only. */
async function reachableDeclarations() {
  const files = new Set()
  const queue = Object.values(ENTRIES).map((entry) => `${entry}.d.ts`)
  for (let file = queue.pop(); file !== undefined; file = queue.pop()) {
    if (files.has(file)) continue
    files.add(file)
    for (const [, name] of (await readFile(join(ROOT, file), 'utf8')).matchAll(IMPORT)) {
      if (name.startsWith('.')) queue.push(relative(ROOT, resolve(ROOT, dirname(file), name)).replace(/\.js$/, '.d.ts'))
      else if (!DEPENDENCIES.includes(name)) throw new Error(`${file} imports ${name}, which is not a dependency of credence-client`)
    }
  }
  return files
}

/** Without source map, and with tabs, which take less space. */
async function writeDeclarations(file) {
  const text = (await readFile(join(ROOT, file), 'utf8'))
    .replace(/^\/\/# sourceMappingURL=.*\n?/m, '')
    .replace(/^(?: {4})+/gm, (spaces) => '\t'.repeat(spaces.length / 4))
  await mkdir(dirname(join(folder, file)), { recursive: true })
  await writeFile(join(folder, file), text)
}

function clientManifest() {
  const { version, license, type, engines, dependencies } = manifest
  return {
    name: 'credence-client',
    version,
    description: 'Client and verifier of the Credence trust registry for A2A agents.',
    license,
    type,
    engines,
    exports: {
      ...Object.fromEntries(Object.entries(ENTRIES).map(([name, entry]) => [name, { types: `./${entry}.d.ts`, default: `./${entry}.js` }])),
      './package.json': './package.json',
    },
    imports,
    files: ['dist'],
    dependencies: Object.fromEntries(DEPENDENCIES.map((name) => [name, dependencies[name]])),
  }
}
