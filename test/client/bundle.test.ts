import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { build as esbuild } from 'esbuild'
import { build as vite } from 'vite'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { tempFolder } from '../storage/open-store.js'

const ROOT = resolve(import.meta.dirname, '../..')
/** The folders of the project whose code may run in a browser. */
const BROWSER_CHAPTERS = ['client', 'credentials', 'lib', 'protocol', 'verifier']
const ALLOWED_PACKAGES = /^(@noble\/hashes|@opentelemetry\/api|@sd-jwt\/\w+|jose|js-base64|zod)$/

/** A folder with the project installed by its path, as `npm install ../credence` does it: with a link. */
let app: string
let temp: Awaited<ReturnType<typeof tempFolder>>
beforeAll(async () => {
  temp = await tempFolder()
  app = temp.path
  await mkdir(join(app, 'node_modules'))
  await symlink(ROOT, join(app, 'node_modules/credence'))
  for (const entry of ['client', 'verifier']) await writeFile(join(app, `${entry}.js`), `export * from 'credence/${entry}'\n`)
})
afterAll(() => temp[Symbol.asyncDispose]())

interface Bundle {
  readonly modules: readonly string[]
  readonly text: string
}

const withEsbuild = async (entry: string): Promise<Bundle> => {
  const { metafile, outputFiles } = await esbuild({
    absWorkingDir: app,
    entryPoints: [`${entry}.js`],
    bundle: true,
    write: false,
    metafile: true,
    format: 'esm',
    platform: 'browser',
    logLevel: 'silent',
  })
  return { modules: Object.keys(metafile.inputs).map((file) => resolve(app, file)), text: outputFiles[0]?.text ?? '' }
}

const withVite = async (entry: string): Promise<Bundle> => {
  const result = await vite({
    root: app,
    configFile: false,
    logLevel: 'silent',
    build: { write: false, lib: { entry: `${entry}.js`, formats: ['es'] } },
  })
  const [chunk] = [result].flat().flatMap((built) => ('output' in built ? built.output : []))
  if (chunk?.type !== 'chunk') throw new Error('Vite built no chunk')
  return { modules: chunk.moduleIds, text: chunk.code }
}

describe.each([
  ['esbuild', withEsbuild],
  ['Vite', withVite],
])('browser bundle by %s', (_, bundle) => {
  test.each(['client', 'verifier'])('a bundle of credence/%s uses WebCrypto and contains no server code', async (entry) => {
    const { modules, text } = await bundle(entry)
    const own = modules.flatMap((file) => (file.startsWith(join(ROOT, 'dist/')) ? [file.slice(join(ROOT, 'dist/').length)] : []))
    expect(own).toContain('lib/crypto/crypto-web.js')
    expect(own.filter((file) => /-node\.js$/.test(file))).toEqual([])
    expect(own.filter((file) => file !== 'errors.js' && !BROWSER_CHAPTERS.includes(file.split('/')[0] ?? ''))).toEqual([])
    const packages = modules.flatMap((file) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1] ?? [])
    expect(packages.filter((name) => !ALLOWED_PACKAGES.test(name))).toEqual([])
    expect(text).not.toMatch(/\bfrom\s*["']node:|\brequire\(/)
    expect(text.length).toBeLessThan(1_200_000)
  })

  test('a bundle verifies, signs and hashes with web globals only', async () => {
    const { text } = await bundle('client')
    const client = await import(/* @vite-ignore */ `data:text/javascript;base64,${Buffer.from(text).toString('base64')}`)
    const signer = await client.newEs256Signer()
    const proof = await client.proveDpop(
      { signer, clock: { now: () => 1_800_000_000 }, random: { token: () => 'abcdefgh' } },
      { htm: 'GET', htu: 'https://a.example/', accessToken: 'x' },
    )
    const { verifyDpopProof } = await import('../../src/credentials/jose/dpop.js')
    const verified = await verifyDpopProof(proof, { htm: 'GET', htu: 'https://a.example/', now: 1_800_000_000, accessToken: 'x' })
    expect(verified.jti).toBe('abcdefgh')
  })
})
