// Runs the examples of README and the quickstarts: every program, every block marked `sh run`, and the configuration of each proxy that is installed.
import { execFile, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
// @ts-expect-error the stage of the demo is JavaScript
import { freePort, newStage } from '../../examples/demo/stage.js'
import { createAgent, joinRegistry, newEs256Signer } from '../../src/client/index.js'
import { END_WITH_PARENT } from '../child.mjs'
import { MAIN, runCommand } from '../cli/command-line.js'
import { newBrowser } from '../identity/people/browser.js'
import { decide } from '../oauth/authorize/person-world.js'
import { tempFolder } from '../storage/open-store.js'
import { run } from './process.js'

const ROOT = resolve(import.meta.dirname, '../..')

interface Block {
  readonly language: string
  readonly text: string
}

const blocksOf = (page: string): readonly Block[] =>
  [...readFileSync(join(ROOT, page), 'utf8').matchAll(/^```(\S[^\n]*)\n(.*?)^```$/gms)].map(([, language = '', text = '']) => ({
    language,
    text,
  }))
const programName = ({ text }: Block): string | undefined => /^\/\/ (\S+\.mjs)$/m.exec(text.split('\n')[0] ?? '')?.[1]

const PAGES = [
  'README.md',
  'docs/KEYS.md',
  ...readdirSync(join(ROOT, 'docs'))
    .filter((file) => file.startsWith('QUICKSTART-'))
    .map((file) => `docs/${file}`),
]

let stage: Awaited<ReturnType<typeof newStage>>
let operator: ReturnType<typeof createAgent>
let environment: Record<string, string>
/** Runs the commands that npx.mjs sends. */
const commands = createServer(async (request, response) => {
  let text = ''
  for await (const chunk of request.setEncoding('utf8')) text += chunk
  const { args, ...options } = JSON.parse(text)
  response.end(JSON.stringify(await runCommand(args, options)))
})

const personWith = async (issuer: string, code: string) => {
  const signer = await newEs256Signer()
  const { memberId } = await joinRegistry({ issuer, code, name: 'person', signer })
  return createAgent({ issuer, clientId: memberId, signer })
}
const invitation = async (name: string): Promise<string> => {
  const { orgId } = await operator.mutate<{ orgId: string }>('organisations.create', { name })
  return (await operator.mutate<{ code: string }>('members.invite', { orgId, role: 'administrator' })).code
}

beforeAll(async () => {
  await new Promise<void>((done) => commands.listen(0, '127.0.0.1', done))
  stage = await newStage()
  vi.stubEnv('NODE_OPTIONS', END_WITH_PARENT)
  const { issuer, firstCode } = await stage.registry()
  operator = await personWith(issuer, firstCode)
  const acme = await personWith(issuer, await invitation('Acme'))
  const registered = await acme.mutate<{ agentId: string; audience: string }>('agents.register', {
    name: 'ocr',
    introductionPolicy: { mode: 'ask' },
  })
  const ocr = await stage.agent('ocr.js', { issuer, ...registered, port: await freePort() })
  await ocr('publish')
  vi.unstubAllEnvs()
  environment = { REGISTRY: issuer, OCR: registered.agentId, AUDIENCE: registered.audience }
})
afterAll(async () => {
  commands.close()
  await stage.close()
})

/** A folder with the package and what the pages install beside it, an `npx` that runs the built command line, and the programs of the page and of README. */
async function folderFor(page: string) {
  const folder = await tempFolder()
  await mkdir(join(folder.path, 'node_modules'))
  await symlink(ROOT, join(folder.path, 'node_modules/credence'))
  for (const name of ['@trpc', '@modelcontextprotocol', 'express', 'zod'])
    await symlink(join(ROOT, 'node_modules', name), join(folder.path, 'node_modules', name))
  await mkdir(join(folder.path, 'bin'))
  const shim = `#!/bin/sh
shift
for last; do :; done
# Commands that run on, or that read from standard input
[ "$1" = serve ] || [ "$last" = - ] && exec ${process.execPath} ${MAIN} "$@"
exec ${process.execPath} ${join(import.meta.dirname, 'npx.mjs')} ${(commands.address() as AddressInfo).port} "$@"
`
  await writeFile(join(folder.path, 'bin/npx'), shim)
  await chmod(join(folder.path, 'bin/npx'), 0o755)
  for (const block of [...blocksOf('README.md'), ...blocksOf(page)]) {
    const name = programName(block)
    if (name !== undefined) await writeFile(join(folder.path, name), block.text)
  }
  const env: Record<string, string> = {
    ...environment,
    CODE: await invitation(page),
    HOME: folder.path,
    NODE_OPTIONS: END_WITH_PARENT,
    PATH: `${join(folder.path, 'bin')}:${process.env.PATH}`,
  }
  return { ...folder, env }
}

/** Runs the marked blocks of a page in order, in one folder. A block marked `background` runs until the last block has run. */
async function runPage(page: string): Promise<string> {
  await using folder = await folderFor(page)
  const children: ReturnType<typeof spawn>[] = []
  let output = ''
  try {
    for (const { language, text } of blocksOf(page)) {
      if (language === 'sh run background') {
        const child = spawn('sh', ['-c', `exec ${text}`], { cwd: folder.path, env: folder.env, stdio: ['ignore', 'pipe', 'inherit'] })
        children.push(child)
        await new Promise<void>((done, fail) => {
          child.once('exit', (code) => fail(new Error(`${text} exited with code ${code}`)))
          let printed = ''
          child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
            printed += chunk
            folder.env.FIRST_CODE = /^first code (\S+)/m.exec(printed)?.[1] ?? ''
            if (READY.test(printed)) done()
          })
        })
      }
      if (language === 'sh run person') output += await runForPerson(text, folder)
      if (language === 'sh run')
        output += (await promisify(execFile)('sh', ['-ec', text], { cwd: folder.path, env: folder.env, timeout: 60_000 })).stdout
    }
    return output
  } finally {
    for (const child of children) child.kill('SIGKILL')
  }
}

/** Runs a program that asks a person: it prints a URL, which the member of the page opens in a browser, and allows. */
async function runForPerson(text: string, { path: cwd, env }: { readonly path: string; readonly env: Record<string, string> }) {
  const { stdout: signIn } = await promisify(execFile)('npx', ['credence', 'console', '--no-open'], { cwd, env })
  const browser = newBrowser(env.REGISTRY ?? '')
  const offered = await browser.submit(await browser.get('/sign-in'), '/sign-in/ticket', { ticket: /#(\S+)/.exec(signIn)?.[1] ?? '' })
  await browser.submit(await browser.follow(offered), '/sign-in/confirm')
  await using program = run('sh', ['-ec', `cd '${cwd}'\n${text}`], { ...env })
  const ended = once(program.child, 'close')
  const [, url = ''] = await program.wrote(/^open (\S+)$/m)
  const { location = '' } = await decide(browser, await browser.get(url), { duration: 'once' })
  expect((await fetch(location)).status).toBe(200)
  await ended
  return program.text().replace(/^open .*\n/m, '')
}

/** The line that a background program prints once it is listening. */
const READY = /^(listening on \d+|serving)$/m

const EXPECTED: Readonly<Record<string, RegExp>> = {
  'README.md': /Ocelot OCR granted 200 .*read \\"page 1\\" for agt_.*\n401\n401\n$/s,
  'docs/QUICKSTART-caller.md': /agt_\S+ signed http.* ocr:read.*"hits".*granted\n200\nthe token is invalid: tsk:\nactive\nbad_input\n$/s,
  'docs/QUICKSTART-publisher.md': /401\ngranted 200 hello agt_/,
  'docs/KEYS.md': /retiresAt.*revokedCount\s+0.*revokedCount\s+0.*rotated\n.*revoked.*retired.*active/s,
  'docs/QUICKSTART-operator.md': /registrationToken.*agents\.register/s,
  'docs/QUICKSTART-mcp.md': /^.*401\n.*no note\nStreamableHTTPError 403\nwritten\nmilk\n401\n.*no note\nposition\s+\S+\n$/s,
  'docs/QUICKSTART-orchestrator.md': /ocr:read valid\n.*\[ true, true ]\n\[ false, false ]\n$/s,
}

test.each(Object.keys(EXPECTED))('the programs and marked commands of %s run unchanged', async (page) => {
  expect(await runPage(page)).toMatch(EXPECTED[page] as RegExp)
})

test('every program in a page is run by a block of that page or imported by another of its programs', () => {
  const programs = PAGES.flatMap((page) => blocksOf(page).flatMap((block) => ({ page, name: programName(block), block })))
  expect(programs.filter(({ name }) => name !== undefined).length).toBeGreaterThan(5)
  const jsPrograms = programs.filter(({ block }) => block.language === 'js')
  expect(jsPrograms.filter(({ name }) => name === undefined).map(({ page, block }) => `${page}: ${block.text.slice(0, 40)}`)).toEqual([])
  const isUsed = (page: string, name: string) =>
    blocksOf(page).some(({ language, text }) => (language.startsWith('sh run') && text.includes(name)) || text.includes(`'./${name}'`))
  expect(jsPrograms.filter(({ page, name }) => !isUsed(page, name ?? '')).map(({ page, name }) => `${page}: ${name}`)).toEqual([])
})

describe('proxy configurations', () => {
  const configurations = blocksOf('docs/QUICKSTART-operator.md')
  test.each([
    ['caddy', 'caddyfile', ['adapt', '--adapter', 'caddyfile', '--config']],
    ['nginx', 'nginx', ['-t', '-c']],
  ] as const)('%s accepts its configuration in docs/QUICKSTART-operator.md', async (program, language, args) => {
    const block = configurations.find((one) => one.language === language)
    expect(block?.text).toContain('127.0.0.1:4000')
    if (spawnSync(program, ['version']).error !== undefined) {
      console.warn(`\n*** ${program} is not installed: its configuration in docs/QUICKSTART-operator.md is NOT checked ***\n`)
      return
    }
    await using folder = await tempFolder()
    const file = join(folder.path, 'proxy.conf')
    const text = block?.text ?? ''
    if (language === 'nginx') makeCertificate(folder.path)
    const inFolder = text.replaceAll('/etc/letsencrypt/live/registry.example', folder.path)
    await writeFile(file, language === 'nginx' ? `events {}\npid ${folder.path}/pid;\nhttp {\n${inFolder}\n}\n` : text)
    const { status, stderr } = spawnSync(program, [...args, file], { encoding: 'utf8' })
    expect([status, status === 0 ? '' : stderr]).toEqual([0, ''])
  })
})

/** nginx opens the certificate when it checks a configuration. */
function makeCertificate(folder: string): void {
  const names = ['-keyout', join(folder, 'privkey.pem'), '-out', join(folder, 'fullchain.pem')]
  const openssl = spawnSync('openssl', [
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-days',
    '1',
    '-subj',
    '/CN=registry.example',
    ...names,
  ])
  expect(openssl.status).toBe(0)
}
