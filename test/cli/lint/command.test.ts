import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { aCard } from '../../registry.js'
import { runCommand } from '../command-line.js'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'credence-lint-'))
  const card = aCard({ issuer: 'https://registry.acme.org' })
  await writeFile(join(folder, 'good.json'), JSON.stringify(card))
  await writeFile(join(folder, 'bad.json'), JSON.stringify({ ...card, skills: [{ id: 'a', name: '\u202e' }] }, null, 2))
  await writeFile(join(folder, 'none.json'), '{}')
})
afterAll(() => rm(folder, { recursive: true }))

const lint = async (...args: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> => {
  const { code, out: stdout, err: stderr } = await runCommand(['card', 'lint', '--dev', ...args], { cwd: folder })
  return { code, stdout, stderr }
}

test('a line for each fault names its place, severity, code, pointer and remedy', async () => {
  const { code, stdout } = await lint('good.json', 'bad.json')
  expect(code).toBe(1)
  expect(stdout.split('\n')).toEqual([
    'good.json: accepted (A2A 1.0), 0 faults, can be published, can be imported',
    expect.stringMatching(/^bad\.json:\d+:5 {2}error {2}missing-member {2}\/skills\/0\/description {2}is missing: write a sentence/),
    expect.stringMatching(/^bad\.json:\d+:5 {2}error {2}missing-member {2}\/skills\/0\/tags {2}is missing/),
    expect.stringMatching(/^bad\.json:\d+:7 {2}warning {2}invisible-text {2}\/skills\/0\/name {2}has characters that are invisible/),
    'bad.json: nonconformant (A2A 1.0), 3 faults, cannot be published, can be imported',
    '',
  ])
})

test('the exit code says whether the cards can be published or imported, or cannot be read', async () => {
  expect((await lint('good.json')).code).toBe(0)
  expect((await lint('bad.json', '--for', 'import')).code).toBe(0)
  expect((await lint('none.json', '--for', 'import')).code).toBe(1)
  const missing = await lint('gone.json', 'bad.json')
  expect([missing.code, missing.stderr, missing.stdout]).toEqual([
    2,
    expect.stringContaining('cannot read gone.json'),
    expect.stringContaining('bad.json'),
  ])
})

test('JSON has both severities, and SARIF the level of the purpose and the line', async () => {
  const [file] = JSON.parse((await lint('bad.json', '--format', 'json')).stdout)
  expect(file).toMatchObject({
    source: 'bad.json',
    canPublish: false,
    canImport: true,
    faults: [{ publish: 'error', import: 'warning' }, {}, { code: 'invisible-text', publish: 'warning' }],
  })
  const sarif = JSON.parse((await lint('bad.json', '--format', 'sarif', '--for', 'import')).stdout)
  const [run] = sarif.runs
  expect([sarif.version, run.results.length]).toEqual(['2.1.0', 3])
  expect(run.results[0]).toMatchObject({
    ruleId: 'missing-member',
    level: 'warning',
    locations: [{ physicalLocation: { artifactLocation: { uri: 'bad.json' }, region: { startColumn: 5 } } }],
  })
  expect(run.tool.driver.rules[run.results[0].ruleIndex].id).toBe('missing-member')
})

test('a site stands for its well-known card, and a response that is too large is refused', async () => {
  const server = createServer((request, response) =>
    request.url === '/.well-known/agent-card.json'
      ? response.end(JSON.stringify(aCard({ issuer: 'https://registry.acme.org' })))
      : response.end('x'.repeat(100_000)),
  )
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const site = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  expect(await lint(site)).toMatchObject({ code: 0, stdout: expect.stringContaining('accepted') })
  expect(await lint(`${site}/large`)).toMatchObject({ code: 2, stderr: expect.stringContaining('larger than 65536 bytes') })
  server.close()
})
