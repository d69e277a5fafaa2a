import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
// @ts-expect-error the demo's own stage, in JavaScript
import { freePort, newStage } from '../../examples/demo/stage.js'
import { createAgent, joinRegistry, newEs256Signer } from '../../src/client/index.js'
import { tempFolder } from '../storage/open-store.js'

// The README's first ten minutes as they stand there, over the built package: its commands and its program, in a folder of one's own.
const ROOT = resolve(import.meta.dirname, '../..')
const [, minutes = ''] = readFileSync(join(ROOT, 'README.md'), 'utf8').split('## Your first ten minutes')
const [, program = ''] = /```js\n(\/\/ my-agent\.mjs.*?)```/s.exec(minutes) ?? []
const commands = [...minutes.matchAll(/^ {4}npx credence (login|agent register) .*$/gm)].map(([line]) =>
  line.trim().replace('npx credence', `node ${join(ROOT, 'dist/cli/main.js')}`),
)

let stage: Awaited<ReturnType<typeof newStage>>
let folder: Awaited<ReturnType<typeof tempFolder>>
let environment: Record<string, string>
beforeAll(async () => {
  stage = await newStage()
  folder = await tempFolder()
  const { issuer, firstCode } = await stage.registry()
  const personWith = async (code: string) => {
    const signer = await newEs256Signer()
    const { memberId } = await joinRegistry({ issuer, code, name: 'person', signer })
    return createAgent({ issuer, clientId: memberId, signer })
  }
  const operator = await personWith(firstCode)
  const invite = async (name: string) => {
    const { orgId } = await operator.mutate<{ orgId: string }>('organisations.create', { name })
    return (await operator.mutate<{ code: string }>('members.invite', { orgId, role: 'administrator' })).code
  }
  const acme = await personWith(await invite('Acme'))
  const registered = await acme.mutate<{ agentId: string; audience: string }>('agents.register', { name: 'ocr', contact: { mode: 'ask' } })
  const ocr = await stage.agent('ocr.js', { issuer, ...registered, port: await freePort() })
  await ocr('publish')
  const { agentId: OCR, audience: AUDIENCE } = registered
  environment = { REGISTRY: issuer, CODE: await invite('Newcomers'), OCR, AUDIENCE, HOME: folder.path, PATH: process.env.PATH ?? '' }
  await mkdir(join(folder.path, 'node_modules'))
  await symlink(ROOT, join(folder.path, 'node_modules/credence'))
  await writeFile(join(folder.path, 'my-agent.mjs'), program)
}, 30_000)
afterAll(async () => {
  await stage.close()
  await folder[Symbol.asyncDispose]()
})

const shell = async (command: string) =>
  (await promisify(execFile)('sh', ['-c', command], { cwd: folder.path, env: environment, timeout: 60_000 })).stdout

test('from nothing to an agent that is introduced to the OCR agent and calls it; started again, it goes on with its key', async () => {
  expect(commands).toHaveLength(2)
  const [login = '', register = ''] = commands
  expect(await shell(login)).toContain('administrator')
  const printed = await shell(register)
  const [agentId, token] = ['agentId', 'registrationToken'].map((name) => new RegExp(`^${name} +(\\S+)$`, 'm').exec(printed)?.[1])
  for (let i = 0; i < 2; i++)
    expect(await shell(`node my-agent.mjs $REGISTRY ${agentId} ${token} $OCR`)).toMatch(
      new RegExp(`^Ocelot OCR granted 200 .*read \\\\"page 1\\\\" for ${agentId}.*\\n401\\n$`),
    )
}, 180_000)
