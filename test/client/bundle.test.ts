import { resolve } from 'node:path'
import { build } from 'esbuild'
import { describe, expect, test } from 'vitest'

const SRC = resolve(import.meta.dirname, '../../src')

/** What an entry pulls in, resolved as a browser would: no node condition, so `#crypto` and `#websocket` are those of the web. */
async function bundle(entry: string) {
  const { metafile, outputFiles } = await build({
    entryPoints: [resolve(SRC, entry)],
    bundle: true,
    write: false,
    metafile: true,
    format: 'esm',
    platform: 'browser',
    alias: { '#crypto': resolve(SRC, 'lib/crypto-web.ts'), '#websocket': resolve(SRC, 'lib/io/websocket-web.ts') },
    logLevel: 'silent',
  })
  return { inputs: Object.keys(metafile.inputs), text: outputFiles[0]?.text ?? '' }
}

describe.each(['client/index.ts', 'verifier/index.ts'])('%s', (entry) => {
  test('pulls in no server code, no node: module, and no library but the few that it is allowed', async () => {
    const { inputs, text } = await bundle(entry)
    const ours = inputs.filter((file) => file.includes('src/')).map((file) => file.slice(file.indexOf('src/') + 4).split('/')[0])
    expect(inputs.length).toBeGreaterThan(30)
    expect(
      [...new Set(ours)].filter((folder) => !['lib', 'protocol', 'credentials', 'client', 'verifier', 'errors.ts'].includes(folder ?? '')),
    ).toEqual([])
    const libraries = inputs
      .filter((file) => file.includes('node_modules/'))
      .map((file) =>
        file
          .slice(file.lastIndexOf('node_modules/') + 13)
          .split('/')
          .slice(0, file.includes('node_modules/@') ? 2 : 1)
          .join('/'),
      )
    expect([...new Set(libraries)].sort()).toEqual(['@noble/hashes', 'zod'])
    expect(text).not.toMatch(/from\s*["']node:|require\(/)
    expect(text.length).toBeLessThan(1_200_000)
  })
})

test('the bundle runs with web globals only: it verifies, signs and hashes', async () => {
  const { text } = await bundle('client/index.ts')
  const url = `data:text/javascript;base64,${Buffer.from(text).toString('base64')}`
  const client = await import(/* @vite-ignore */ url)
  const signer = await client.newEs256Signer()
  const proof = await client.proveDpop(
    { signer, clock: { now: () => 1_800_000_000 }, random: { token: () => 'abcdefgh' } },
    { htm: 'GET', htu: 'https://a.example/', accessToken: 'x' },
  )
  expect(proof.split('.')).toHaveLength(3)
  const { verifyDpopProof } = await import('../../src/credentials/jose/dpop.js')
  expect((await verifyDpopProof(proof, { htm: 'GET', htu: 'https://a.example/', now: 1_800_000_000, accessToken: 'x' })).jti).toBe(
    'abcdefgh',
  )
})
