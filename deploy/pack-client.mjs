// Packs `credence-client`: the client and the verifier without the server, for agents that should not install a database and a web
// framework.
//
// The package is cut from dist/, so run `npm run build` first. Starting from the two entries, the script follows the imports of each
// JavaScript and declaration file, packs exactly the files that it reaches, and takes the versions of the npm packages that they import
// from package.json.
// Usage: node deploy/pack-client.mjs [folder for the tarball, default: the current one]. It prints the path of the tarball.
import { execFile } from 'node:child_process'
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, relative, resolve } from 'node:path'
import { promisify } from 'node:util'

const ROOT = resolve(import.meta.dirname, '..')
const ENTRIES = { '.': 'dist/client/index', './verifier': 'dist/verifier/index' }
const IMPORT = /(?:\bfrom\s*|\bimport\s*\(?\s*)['"]([^'"]+)['"]/g
const README = `# credence-client

The client and the verifier of Credence, a trust registry for A2A agents, without the registry's server.

\`\`\`js
import { createAgent } from 'credence-client'
import { createVerifier, guard } from 'credence-client/verifier'
\`\`\`

Version and source are those of the package \`credence\`: this package's entries are its \`credence/client\` and \`credence/verifier\`.
`

const manifest = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'))
const { files, packages } = await reachableFiles()
const folder = await mkdtemp(join(tmpdir(), 'credence-client-'))
try {
  for (const file of files) await writeWithoutSourceMap(file)
  await copyFile(join(ROOT, 'LICENSE'), join(folder, 'LICENSE'))
  await writeFile(join(folder, 'README.md'), README)
  await writeFile(join(folder, 'package.json'), JSON.stringify(clientManifest(), undefined, 2))
  const destination = resolve(process.argv[2] ?? '.')
  const { stdout } = await promisify(execFile)('npm', ['pack', '--json', '--pack-destination', destination], { cwd: folder })
  console.log(join(destination, JSON.parse(stdout)[0].filename))
} finally {
  await rm(folder, { recursive: true })
}

/** The files of dist that the entries reach, and the npm packages that those files import. */
async function reachableFiles() {
  const files = new Set()
  const packages = new Set()
  const queue = Object.values(ENTRIES).flatMap((entry) => [`${entry}.js`, `${entry}.d.ts`])
  for (let file = queue.pop(); file !== undefined; file = queue.pop()) {
    if (files.has(file)) continue
    files.add(file)
    for (const [, name] of (await readFile(join(ROOT, file), 'utf8')).matchAll(IMPORT)) {
      if (name.startsWith('.')) queue.push(...filesOf(file, [relative(ROOT, resolve(ROOT, dirname(file), name))]))
      else if (name.startsWith('#')) queue.push(...filesOf(file, modulesOf(name)))
      else if (!name.startsWith('node:')) packages.add(name.split('/', name.startsWith('@') ? 2 : 1).join('/'))
    }
  }
  return { files, packages }
}

/** A declaration file imports the declarations of a module, whose specifier ends in `.js`; a JavaScript file imports the module. */
function filesOf(importer, modules) {
  return importer.endsWith('.d.ts') ? modules.map((name) => name.replace(/\.js$/, '.d.ts')) : modules
}

/** The built modules that an entry of package.json's `imports` chooses from. */
function modulesOf(name) {
  return Object.values(manifest.imports[name])
    .filter((target) => target.startsWith('./dist/') && target.endsWith('.js'))
    .map((target) => target.slice(2))
}

/** Leaves out the conditions under which the project and its declarations are compiled. */
function onlyPacked(targets) {
  return Object.fromEntries(Object.entries(targets).filter(([, target]) => files.has(target.slice(2))))
}

async function writeWithoutSourceMap(file) {
  const text = await readFile(join(ROOT, file), 'utf8')
  await mkdir(dirname(join(folder, file)), { recursive: true })
  await writeFile(join(folder, file), text.replace(/^\/\/# sourceMappingURL=.*\n?/m, ''))
}

function clientManifest() {
  const { version, license, type, engines, imports, dependencies } = manifest
  const missing = [...packages].filter((name) => dependencies[name] === undefined)
  if (missing.length > 0) throw new Error(`the client imports ${missing.join(', ')}, which package.json does not list in dependencies`)
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
    imports: Object.fromEntries(Object.entries(imports).map(([name, targets]) => [name, onlyPacked(targets)])),
    files: ['dist'],
    dependencies: Object.fromEntries([...packages].sort().map((name) => [name, dependencies[name]])),
  }
}
