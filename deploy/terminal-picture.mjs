// Runs `credence introduction list` on a real terminal against a registry of its own, and writes what it prints to docs/images/introduction-list.svg:
//   npm run build && node deploy/terminal-picture.mjs
// Needs python3, which opens the terminal (test/cli/on-terminal.py).
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { newProfiles } from '../dist/cli/profile.js'
import { confirmAgent, createAgent, joinRegistry, newPrivateJwk, signerFromJwk } from '../dist/client/index.js'
import { newStage } from '../examples/demo/stage.js'

const COLUMNS = 130
const ESCAPE = '\u001b'
/** SGR codes of the terminal; others, such as 39, end a style. */
const STYLES = { 1: ' font-weight="bold"', 2: ' fill="#8b949e"', 31: ' fill="#ff7b72"', 32: ' fill="#7ee787"', 33: ' fill="#e3b341"' }
const root = resolve(import.meta.dirname, '..')
const home = mkdtempSync(join(tmpdir(), 'credence-picture-'))
const stage = await newStage()
try {
  const { issuer, firstCode } = await stage.registry()
  const operator = (await memberWith(issuer, firstCode, 'Operator')).client
  const clinic = await organisation(issuer, operator, 'Juniper Clinic')
  const travel = await organisation(issuer, operator, 'Travel')
  newProfiles(home).write('default', { registry: issuer, clientId: clinic.client.clientId, privateJwk: { ...clinic.privateJwk } })
  const any = { rights: ['slots:read', 'ocr:read'].map((scope) => ({ audience: { anyAgent: true }, scope })) }
  const booking = await agent(issuer, clinic.client, { name: 'booking', introductionPolicy: { mode: 'open' }, ceiling: any })
  const records = await agent(issuer, clinic.client, { name: 'records', introductionPolicy: { mode: 'ask' } })
  const planner = await agent(issuer, travel.client, { name: 'trip-planner', introductionPolicy: { mode: 'open' }, ceiling: any })
  for (const [one, name, scope] of [
    [booking, 'Booking', 'slots:read'],
    [records, 'Records', 'ocr:read'],
    [planner, 'Trip planner', 'slots:read'],
  ])
    await one.publish({ card: cardOf(issuer, name, scope) })
  const ask = (from, to, scope, purpose) => from.mutate('introductions.request', { to: to.clientId, scopes: [scope], purpose })
  await ask(planner, booking, 'slots:read', 'find free appointments')
  const asked = await ask(planner, records, 'ocr:read', 'read referrals')
  await clinic.client.mutate('introductions.deny', { introductionId: asked.introductionId, note: 'not for trips' })
  await ask(planner, records, 'ocr:read', 'read vaccination cards')
  await ask(booking, records, 'ocr:read', 'attach the referral')
  await ask(booking, planner, 'slots:read', 'tell travel times')
  const args = [
    join(root, 'test/cli/on-terminal.py'),
    String(COLUMNS),
    '[]',
    process.execPath,
    join(root, 'dist/cli/main.js'),
    'introduction',
    'list',
  ]
  const { status, stdout, stderr } = spawnSync('python3', args, {
    env: { ...process.env, CREDENCE_HOME: home, TERM: 'xterm-256color', FORCE_COLOR: '1' },
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(stdout + stderr)
  mkdirSync(join(root, 'docs/images'), { recursive: true })
  writeFileSync(join(root, 'docs/images/introduction-list.svg'), svgOf(`$ credence introduction list\n${stdout.trimEnd()}`))
} finally {
  await stage.close()
  rmSync(home, { recursive: true })
}

async function memberWith(issuer, code, name) {
  const privateJwk = await newPrivateJwk('ES256')
  const signer = await signerFromJwk(privateJwk)
  const { memberId } = await joinRegistry({ issuer, code, name, signer })
  return { privateJwk, client: createAgent({ issuer, clientId: memberId, signer }) }
}

async function organisation(issuer, operator, name) {
  const { orgId } = await operator.mutate('organisations.create', { name })
  return memberWith(issuer, (await operator.mutate('members.invite', { orgId, role: 'administrator' })).code, name)
}

async function agent(issuer, member, registration) {
  const { agentId, registrationToken } = await member.mutate('agents.register', registration)
  const signer = await signerFromJwk(await newPrivateJwk('ES256'))
  await confirmAgent({ issuer, agentId, registrationToken, signer })
  return createAgent({ issuer, clientId: agentId, signer })
}

function cardOf(issuer, name, scope) {
  const flows = { clientCredentials: { tokenUrl: `${issuer}/oauth/token`, scopes: { [scope]: 'use it' } } }
  const credence = { oauth2SecurityScheme: { flows, oauth2MetadataUrl: `${issuer}/.well-known/oauth-authorization-server` } }
  const supportedInterfaces = [{ url: 'http://127.0.0.1:9/a2a', protocolBinding: 'JSONRPC', protocolVersion: '1.0' }]
  const skills = [{ id: 'use', name: 'Use', description: 'Use it.', tags: ['demo'] }]
  const modes = { defaultInputModes: ['text/plain'], defaultOutputModes: ['text/plain'] }
  const securityRequirements = [{ schemes: { credence: { list: [scope] } } }]
  return {
    name,
    description: `${name}.`,
    version: '1.0.0',
    supportedInterfaces,
    capabilities: {},
    securitySchemes: { credence },
    securityRequirements,
    skills,
    ...modes,
  }
}

/** Terminal output as a picture: one text element for each line, one span for each style. */
function svgOf(output) {
  const escaped = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
  const lines = output.split('\n').map((line, row) => {
    let style = ''
    let parts = ''
    for (const [, code, text] of line.matchAll(new RegExp(`${ESCAPE}\\[(\\d+)m|([^${ESCAPE}]+)`, 'g')))
      if (code === undefined) parts += `<tspan${style}>${escaped(text)}</tspan>`
      else style = STYLES[code] ?? ''
    return `<text x="16" y="${32 + row * 20}" xml:space="preserve">${parts}</text>`
  })
  const [width, height] = [32 + Math.ceil(COLUMNS * 7.83), 24 + lines.length * 20]
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="13" fill="#e6edf3" role="img" aria-label="Output of credence introduction list">
<rect width="100%" height="100%" rx="8" fill="#0d1117"/>
${lines.join('\n')}
</svg>
`
}
