// Sends mutated requests to every endpoint, as an anonymous caller and as an agent with a valid key. A mutation starts from a valid request, because
// random bytes fail at the first check. Every response must be one of our refusals (never 500) within 5 s and write nothing, and the process must
// continue to serve.
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { WebSocket } from 'ws'
import { assertClient, proveDpop } from '../../dist/credentials/jose/sign.js'
import { systemClock } from '../../dist/lib/clock.js'
import { systemRandom } from '../../dist/lib/random.js'
import { freePort } from '../free-port.mjs'
import { newCast, startRegistry, stopRegistry } from '../prove/kills.mjs'

const b64 = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')
const ODD = [
  '',
  ' ',
  '\0',
  '\ud800',
  '__proto__',
  'constructor',
  '../..',
  '%00',
  '#{x}',
  '\r\nX: y',
  '🦊',
  'ａ',
  'e\u0301',
  '{"$ne":null}',
  "' OR 1=1--",
  '[',
  '{',
  '~',
  '.',
  'null',
  '-1',
  '1e999',
  'a'.repeat(5000),
]
const ODD_JSON = [
  null,
  true,
  0,
  -1,
  1e308,
  '',
  'x',
  [],
  {},
  [[]],
  { $gt: '' },
  { __proto__: null, a: 1 },
  Array.from({ length: 300 }, () => 0),
  nest(40),
]
function nest(depth) {
  return depth === 0 ? 1 : [nest(depth - 1)]
}

/** Applies one mutation to a text. */
function changedText(dice, text) {
  const at = Math.floor(dice() * (text.length + 1))
  const odd = ODD[Math.floor(dice() * ODD.length)]
  switch (Math.floor(dice() * 7)) {
    case 0:
      return text.slice(0, at) + odd + text.slice(at)
    case 1:
      return text.slice(0, at)
    case 2:
      return text.slice(0, at) + String.fromCharCode(33 + Math.floor(dice() * 94)) + text.slice(at + 1)
    case 3:
      return text + text
    case 4:
      return odd
    case 5:
      return text.slice(0, at) + text.slice(at + 1 + Math.floor(dice() * 8))
    default:
      return text.slice(at) + text.slice(0, at)
  }
}

/** Applies one mutation somewhere in a JSON value. */
function changedJson(dice, value) {
  const odd = () => ODD_JSON[Math.floor(dice() * ODD_JSON.length)]
  if (dice() < 0.15 || value === null || (typeof value !== 'object' && typeof value !== 'string')) return odd()
  if (typeof value === 'string') return dice() < 0.3 ? odd() : changedText(dice, value)
  if (Array.isArray(value)) {
    if (value.length === 0) return [odd()]
    const at = Math.floor(dice() * value.length)
    return value.map((one, i) => (i === at ? changedJson(dice, one) : one))
  }
  const names = Object.keys(value)
  const name = names[Math.floor(dice() * names.length)]
  if (name === undefined) return { x: odd() }
  const kind = dice()
  if (kind < 0.2) return Object.fromEntries(Object.entries(value).filter(([one]) => one !== name))
  if (kind < 0.35) return { ...value, [ODD[Math.floor(dice() * ODD.length)]]: odd() }
  return { ...value, [name]: changedJson(dice, value[name]) }
}

/** Mutates a compact JWS: the bytes of a part, or a member of its header or claims. */
function changedJws(dice, jws) {
  const parts = jws.split('.')
  if (dice() < 0.4) {
    const i = Math.floor(dice() * parts.length)
    return parts.map((part, at) => (at === i ? changedText(dice, part) : part)).join('.')
  }
  const i = dice() < 0.6 ? 0 : 1
  try {
    parts[i] = b64(changedJson(dice, JSON.parse(Buffer.from(parts[i], 'base64url').toString())))
  } catch {
    parts[i] = b64(changedText(dice, parts[i]))
  }
  return parts.join('.')
}

/** Each endpoint makes one mutated request from a valid one. */
function endpointsOf(dice, issuer, right) {
  const form = (fields) => ({
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', dpop: right.proof },
    body: new URLSearchParams(fields).toString(),
  })
  const pick = (list) => list[Math.floor(dice() * list.length)]
  const changedForm = () => {
    const fields = { ...right.form }
    const name = pick(Object.keys(fields))
    fields[name] = /^ey/.test(fields[name]) ? changedJws(dice, fields[name]) : changedText(dice, fields[name])
    return fields
  }
  const authorized = (token, proof) => ({ authorization: `DPoP ${token}`, dpop: proof })
  const path = () =>
    pick([
      'agents.get',
      'cards.get',
      'cards.publish',
      'introductions.request',
      'tasks.create',
      'tokens.lineage',
      'members.invite',
      'discovery.search',
      'discovery.suggest',
      'system.info',
      'audit.list',
      'keys.register',
    ])
  const fresh = { signer: right.signer, clock: systemClock, random: systemRandom }
  const PARAMETERS = {
    scope: 'ocr:read',
    audience: right.form.audience,
    resource: right.form.audience,
    task_id: right.taskId,
    delegation: JSON.stringify({ depth: 1, rights: [{ audience: right.form.audience, scope: 'ocr:read' }] }),
    allowed_tools: '["a:*"]',
    allowed_resources: '["r"]',
    required_tools: '["a:b"]',
    required_resources: '["r"]',
    actor_token: right.token,
    actor_token_type: right.form.subject_token_type,
    requested_token_type: right.form.subject_token_type,
  }
  const changedValue = (text) => {
    try {
      return JSON.stringify(changedJson(dice, JSON.parse(text)))
    } catch {
      return /^ey/.test(text) ? changedJws(dice, text) : changedText(dice, text)
    }
  }
  /** A token exchange whose assertion and proof are valid: only the parameters are mutated. */
  const exchange = async (isRight = false) => {
    const [client_assertion, dpop] = await Promise.all([
      assertClient(fresh, { clientId: right.clientId, issuer }),
      proveDpop(fresh, { htm: 'POST', htu: `${issuer}/oauth/token`, nonce: right.nonce }),
    ])
    const fields = { ...right.form, client_assertion }
    for (const name of Object.keys(PARAMETERS)) if (!isRight && dice() < 0.3) fields[name] = PARAMETERS[name]
    const changeable = Object.keys(fields).filter((name) => !name.startsWith('client_'))
    const name = pick(changeable)
    if (!isRight) fields[name] = changedValue(fields[name])
    const body = form(fields)
    return [`${issuer}/oauth/token`, { ...body, headers: { ...body.headers, dpop } }]
  }
  const authorizedQuery = async (rightPath) => {
    const isRight = rightPath !== undefined
    const [path, input] = isRight ? [rightPath, right.queries[rightPath]] : pick(Object.entries(right.queries))
    const url = `${issuer}/trpc/${path}`
    const dpop = await proveDpop(fresh, { htm: 'GET', htu: url, accessToken: right.token, nonce: right.nonce })
    const sent = isRight ? input : changedJson(dice, input)
    return [`${url}?input=${encoded(JSON.stringify(sent))}`, { headers: authorized(right.token, dpop) }]
  }
  return {
    'token: exchange, by a client that authenticates': exchange,
    'tRPC query, by a caller that authenticates': authorizedQuery,
    'token: assertion, subject, parameters': () => [`${issuer}/oauth/token`, form(changedForm())],
    'token: proof': () => [
      `${issuer}/oauth/token`,
      { ...form(right.form), headers: { ...form({}).headers, dpop: printable(changedJws(dice, right.proof)) } },
    ],
    'token: body': () => [`${issuer}/oauth/token`, { ...form({}), body: changedText(dice, form(right.form).body) }],
    introspect: () => [`${issuer}/oauth/introspect`, form({ ...right.form, token: changedJws(dice, right.token) })],
    revoke: () => [`${issuer}/oauth/revoke`, form({ ...changedForm(), token: changedJws(dice, right.token) })],
    'tRPC query input': () => [`${issuer}/trpc/${path()}?input=${encoded(JSON.stringify(changedJson(dice, right.input)))}`, {}],
    'tRPC raw input': () => [`${issuer}/trpc/${path()}?input=${encoded(changedText(dice, JSON.stringify(right.input)))}`, {}],
    'tRPC batch': () => [
      `${issuer}/trpc/${Array.from({ length: 1 + Math.floor(dice() * 14) }, path).join(',')}?batch=1&input=${encoded(JSON.stringify(changedJson(dice, { 0: right.input, 1: right.input })))}`,
      {},
    ],
    'tRPC body': () => [
      `${issuer}/trpc/${path()}`,
      {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...authorized(right.token, right.proof) },
        body: changedText(dice, JSON.stringify(right.input)),
      },
    ],
    'tRPC credentials': () => [
      `${issuer}/trpc/${path()}`,
      {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          authorization: printable(`DPoP ${changedJws(dice, right.token)}`),
          dpop: printable(changedJws(dice, right.proof)),
        },
        body: '{}',
      },
    ],
    'authorization header': () => [
      `${issuer}/trpc/agents.list`,
      { headers: { authorization: printable(changedText(dice, `DPoP ${right.token}`)) } },
    ],
    'search cursor': () => [
      `${issuer}/trpc/discovery.search?input=${encoded(JSON.stringify({ text: 'a', cursor: changedText(dice, right.cursor) }))}`,
      {},
    ],
    'join and confirm': () => [
      `${issuer}/trpc/${pick(['members.join', 'agents.confirm'])}`,
      { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(changedJson(dice, right.joining)) },
    ],
    path: () => [
      `${issuer}/${encodeURI(whole(changedText(dice, pick(['agents/agt_AAAAAAAAAAAAAAAAAAAAAA/card', 'log/entries?from=0&limit=5', 'log/inclusion?seq=1', '.well-known/jwks.json', 'trpc/agents.get'])))).replaceAll('#', '%23')}`,
      {},
    ],
  }
}

/** Replaces lone surrogates, which a URL cannot hold. */
const whole = (text) => text.toWellFormed()
const encoded = (text) => encodeURIComponent(whole(text))

/** Replaces characters that an HTTP client cannot send in a header. */
const printable = (text) => text.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 7000)

/** Sends mutated frames on a socket of the feed or of tRPC. The registry may close the socket. */
async function frames(dice, issuer, right) {
  const url = issuer.replace('http', 'ws')
  const [path, protocol] = dice() < 0.5 ? ['/revocations', 'a2a-revocation.v1+json'] : ['/trpc', []]
  const { ticket } = await right.ticket()
  const protocols = [protocol, `ticket.${ticket}`].flat()
  const ws = new WebSocket(url + path, path === '/trpc' ? [`ticket.${ticket}`] : protocols, { perMessageDeflate: false })
  const message =
    path === '/trpc'
      ? { id: 1, method: 'subscription', params: { path: 'revocations.watch', input: {} } }
      : { type: 'subscribe', from: { position: right.position, hash: 'A'.repeat(43) } }
  await new Promise((resolve) => {
    ws.on('error', resolve)
    ws.on('close', resolve)
    ws.on('open', () => {
      for (let i = 0; i < 5; i++)
        ws.send(dice() < 0.5 ? JSON.stringify(changedJson(dice, message)) : changedText(dice, JSON.stringify(message)))
      if (dice() < 0.3) ws.send(Buffer.from(changedText(dice, 'binary')))
      setTimeout(() => ws.terminate(), 20)
    })
    setTimeout(resolve, 3000)
  })
  ws.terminate()
}

export async function runFuzz({ seconds, seed, dice, say = () => {} }) {
  const folder = await mkdtemp(join(tmpdir(), 'credence-fuzz-'))
  const port = await freePort()
  const issuer = `http://localhost:${port}`
  const registry = await startRegistry({ data: join(folder, 'data'), port })
  const faults = []
  const counts = {}
  const outcomes = {}
  try {
    const cast = await newCast({ issuer, firstCode: registry.firstCode })
    await cast.planner.exchange({ audience: cast.ocr.audience })
    const exchange = cast.sent.last
    const { accessToken } = await cast.planner.token()
    const head = async () => (await (await fetch(`${issuer}/log/entries?from=0&limit=1`)).json()).asOf
    const { taskId } = await cast.planner.tasks.create({ description: 'x', seconds: 3000 })
    const right = {
      form: Object.fromEntries(new URLSearchParams(exchange.init.body)),
      proof: exchange.init.headers.dpop,
      token: accessToken,
      input: {
        agentId: cast.ocr.agentId,
        to: cast.ocr.agentId,
        purpose: 'x',
        scopes: ['ocr:read'],
        description: 'x',
        limit: 3,
        text: 'scanned',
        tags: ['ocr'],
      },
      joining: {
        code: `inv_${'A'.repeat(22)}.secret`,
        name: 'x',
        agentId: cast.ocr.agentId,
        registrationToken: 'x',
        jwk: { kty: 'EC', crv: 'P-256', x: 'A'.repeat(43), y: 'A'.repeat(43) },
        proof: exchange.init.headers.dpop,
      },
      cursor: `${b64({ secretId: 'x', query: 'A'.repeat(43), position: { phase: 'everyone' } })}.${'A'.repeat(43)}`,
      position: await head(),
      signer: cast.planner.signer,
      clientId: cast.planner.clientId,
      taskId,
      nonce: JSON.parse(Buffer.from(exchange.init.headers.dpop.split('.')[1], 'base64url')).nonce,
      queries: {
        'tasks.get': { taskId },
        'cards.next': { agentId: cast.planner.agentId },
        'tasks.list': { limit: 3 },
        'introductions.list': { limit: 3 },
        'introductions.inbox': { after: 0 },
        'cards.get': { agentId: cast.ocr.agentId },
        'discovery.search': { text: 'scanned', tags: ['ocr'], limit: 3 },
        'tokens.lineage': { taskId },
      },
      ticket: () => cast.planner.mutate('system.ticket', {}),
    }
    const before = await head()
    const memory = async () =>
      Number(/VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${registry.child.pid}/status`, 'utf8').catch(() => ''))?.[1] ?? 0) / 1024
    const endpoints = endpointsOf(dice, issuer, right)
    const names = [...Object.keys(endpoints), 'frames']
    // The unmutated requests must succeed, so the mutations get past authentication.
    const [exchanges, queries] = names.filter((one) => one.includes('authenticates'))
    for (const [name, query] of [[exchanges, true], ...Object.keys(right.queries).map((path) => [queries, path])]) {
      const [url, init] = await endpoints[name](query)
      const { status } = await fetch(url, init)
      if (status !== 200) faults.push(`${status} for the valid request: ${name}, ${query}`)
    }
    for (const until = performance.now() + seconds * 1000; performance.now() < until && faults.length < 5; ) {
      const name = names[Math.floor(dice() * names.length)]
      counts[name] = (counts[name] ?? 0) + 1
      if (name === 'frames') {
        await frames(dice, issuer, right)
        continue
      }
      const [url, init] = await endpoints[name]()
      const sent = `${name}: ${String(url).slice(0, 600)} ${JSON.stringify(init).slice(0, 1200)}`
      try {
        const response = await fetch(url, { ...init, signal: AbortSignal.timeout(5000) })
        const text = await response.text()
        // The next proof uses the nonce of this response
        right.nonce = response.headers.get('dpop-nonce') ?? right.nonce
        outcomes[name] ??= {}
        outcomes[name][response.status] = (outcomes[name][response.status] ?? 0) + 1
        if (response.status >= 500) faults.push(`${response.status} ${text.slice(0, 200)} for ${sent}`)
      } catch (error) {
        // Some mutations cannot be sent; a sent request must get a response
        if (error.name === 'TimeoutError' || error.cause?.code === 'ECONNREFUSED') faults.push(`${error.name} for ${sent}`)
      }
    }
    if (registry.child.exitCode !== null) faults.push('the registry process exited')
    if ((await head()) !== before) faults.push('a mutated request was written to the log')
    if (registry.log() !== '') faults.push(`the registry logged: ${registry.log().slice(0, 600)}`)
    say(`memory ${Math.round(await memory())} MiB`)
  } finally {
    await stopRegistry(registry, 'SIGKILL')
    await rm(folder, { recursive: true, force: true })
  }
  return { seed, counts, outcomes, total: Object.values(counts).reduce((sum, one) => sum + one, 0), faults }
}
