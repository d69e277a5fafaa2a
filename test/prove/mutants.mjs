// Plants one bug at a time in a copy of the project, and checks that a test fails. Each bug removes one security rule.
import { execFile } from 'node:child_process'
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'

const root = resolve(import.meta.dirname, '../..')
const run = promisify(execFile)

const VERIFY = 'src/credentials/jose/token-types.ts'
const DPOP = 'src/credentials/jose/dpop.ts'
const CLIENT_AUTH = 'src/oauth/client-auth/client-auth.ts'
const EXCHANGE = 'src/oauth/grants/token-exchange.ts'
const SUBJECT = 'src/oauth/grants/subject.ts'
const ISSUE = 'src/oauth/issue.ts'
const VERIFY_REQUEST = 'src/verifier/verify-request.ts'
const TOKENS = ['test/oauth', 'test/attacks', 'test/stories']
const PASSING_ON = ['test/oauth/grants/passing-on.test.ts']

/** [rule, file, original text, planted text, tests that may detect it] */
export const MUTANTS = [
  [
    'an assertion has this issuer as its audience',
    VERIFY,
    "claims.aud !== expected.issuer && '`aud` is not exactly this issuer',\n    timeFault(claims, expected.now, MAX_PROOF_SECONDS),\n  ])\n  return { claims, jkt: key.jkt }",
    'timeFault(claims, expected.now, MAX_PROOF_SECONDS),\n  ])\n  return { claims, jkt: key.jkt }',
    ['test/credentials', 'test/attacks/clients.test.ts'],
  ],
  [
    'an access token is valid only for its audience',
    VERIFY,
    "expected.audience !== undefined && claims.aud !== expected.audience && '`aud` is not the expected audience',",
    '',
    ['test/credentials', 'test/verifier', 'test/attacks'],
  ],
  [
    'an access token is signed by the expected issuer',
    VERIFY,
    "claims.iss !== expected.issuer && '`iss` is not the issuer',\n    expected.audience",
    'expected.audience',
    ['test/credentials'],
  ],
  ['an assertion is accepted once', CLIENT_AUTH, 'if (!isFirst) return deny()', '', TOKENS],
  ['a suspended client cannot authenticate', CLIENT_AUTH, 'stands(trustLog.ended, dependencies.handles) && ', '', TOKENS],
  ['a revoked key cannot authenticate', CLIENT_AUTH, ' && stands(trustLog.ended, [handle])', '', ['test/attacks', 'test/stories']],
  [
    'a record is cached no longer than a revoked version stays in the ended set',
    'src/trust-log/records/cache.ts',
    'Math.abs(trustLog.now() - known.readAt) < MAX_AGE_SECONDS && ',
    '',
    ['test/trust-log', 'test/registry/cards/pinned-parts.test.ts'],
  ],
  [
    'a cached client is confirmed after the read barrier',
    CLIENT_AUTH,
    'isSame && isStanding(deps, client) && isUsable(deps, key) ?',
    'true ?',
    TOKENS,
  ],
  [
    'the token endpoint accepts a proof once',
    'src/oauth/token-endpoint.ts',
    "if (!isFirstProof) refuse('invalid_dpop_proof', 'the DPoP proof has been used before')",
    '',
    TOKENS,
  ],
  [
    'the registry’s API accepts a proof once',
    'src/oauth/client-auth/authenticate.ts',
    "refuse('invalid_token', 'the DPoP proof has been used before')",
    '{}',
    TOKENS,
  ],
  [
    'a proof is signed by the key that the token is bound to',
    'src/oauth/client-auth/authenticate.ts',
    'if (proof.jkt !== claims.cnf.jkt) ',
    'if (proof.jkt === "") ',
    TOKENS,
  ],
  [
    'a proof is valid only for its method',
    DPOP,
    "claims.htm !== expected.htm && '`htm` is not the method of this request',",
    '',
    ['test/credentials', 'test/attacks'],
  ],
  [
    'a proof is valid only for its token',
    DPOP,
    'claims.ath !== digestOfText(expected.accessToken)',
    'false',
    ['test/credentials', 'test/attacks'],
  ],
  ['a proof’s time is within the window', DPOP, '> window && `\\`iat', '> window * 100 && `\\`iat', ['test/credentials', 'test/attacks']],
  [
    'a proof contains a current nonce',
    DPOP,
    '!expected.nonce.accepts(claims.nonce)',
    'false',
    ['test/credentials', 'test/attacks', 'test/oauth'],
  ],
  [
    'a root token is exchanged by its client',
    SUBJECT,
    'claims.aud === deps.issuer && claims.client_id === client.id && claims.cnf.jkt === jkt && claims.act',
    'claims.aud === deps.issuer && claims.cnf.jkt === jkt && claims.act',
    TOKENS,
  ],
  [
    'a root token is exchanged under its key',
    SUBJECT,
    'claims.client_id === client.id && claims.cnf.jkt === jkt && claims.act',
    'claims.client_id === client.id && claims.act',
    TOKENS,
  ],
  ['an introduced token is exchanged only with the right to pass it on', SUBJECT, ' && claims.delegation !== undefined', '', TOKENS],
  [
    'a token depends on what its subject token depends on',
    SUBJECT,
    'dependenciesOf(identities, found.claims.exp)',
    'dependenciesOf([], found.claims.exp)',
    TOKENS,
  ],
  ['a token depends on everything that was read to decide', ISSUE, '    ...decision.dependencies,\n', '', TOKENS],
  ['a token depends on the current versions of all agents in its chain', SUBJECT, '...agents, ...steps)', '...steps)', TOKENS],
  ['a token depends on each step of its chain', SUBJECT, '...agents, ...steps)', '...agents)', PASSING_ON],
  ['a token depends on its client', ISSUE, '    client.dependencies,\n', '', TOKENS],
  ['a token depends on its client’s key', ISSUE, '[key.handle, handleOfToken(jti)', '[handleOfToken(jti)', TOKENS],
  [
    'a token expires no later than what it depends on',
    ISSUE,
    'Math.min(now + Math.min(maxSeconds, client.ceiling.tokenSeconds), Math.floor(dependencies.expiresAt))',
    'now + Math.min(maxSeconds, client.ceiling.tokenSeconds)',
    TOKENS,
  ],
  [
    'an exchange needs a valid introduction',
    'src/oauth/grants/steps.ts',
    'const introductions = validWith(pinnedParts)',
    'const introductions = granted',
    TOKENS,
  ],
  [
    'pinned versions are current',
    'src/delegation/introductions/decide/granted.ts',
    'pinnedVersions.every((version) => currentVersions.has(version)) && ',
    '',
    ['test/delegation/introductions'],
  ],
  ['an introduction limits the scopes', EXCHANGE, '.reduce(intersectNames, bounds.scopes)', '.reduce(intersectNames)', TOKENS],
  ['the ceiling limits the scopes', EXCHANGE, 'const sources = [...ceilings.map(({ rights }) => rights), ', 'const sources = [', TOKENS],
  ['the ceiling of every agent in the chain limits the scopes', EXCHANGE, '[...ceilings, client.ceiling]', '[client.ceiling]', PASSING_ON],
  ['the ceiling of every agent in the chain limits the depth', EXCHANGE, 'if (ceilings.some(', 'if (false && ceilings.some(', PASSING_ON],
  [
    'the subject token limits the scopes',
    EXCHANGE,
    "rights), ...(kind === 'root' ? [] : [claims.delegation?.rights ?? []])]",
    'rights)]',
    TOKENS,
  ],
  ['the delegation depth shrinks at each step', EXCHANGE, '(claims.delegation?.depth ?? 0) - 1', '(claims.delegation?.depth ?? 0)', TOKENS],
  [
    'the task belongs to the subject',
    EXCHANGE,
    'const isAllowed = task && (isSubjectsTask || isOwnTask)',
    'const isAllowed = task',
    TOKENS,
  ],
  ['a token depends on its task', EXCHANGE, '...(task ? [task.dependencies] : []),', '', TOKENS],
  ['no agent occurs twice in a chain', EXCHANGE, 'if (agents.includes(target) ||', 'if (false ||', TOKENS],
  [
    'introspection is limited to the parties of the token',
    'src/oauth/introspect-endpoint.ts',
    '!verified || !maySee(deps, client, verified.claims)',
    '!verified',
    TOKENS,
  ],
  [
    'introspection reports revoked tokens as inactive',
    'src/oauth/introspect-endpoint.ts',
    'return stands(deps.trustLog.ended, dependsOn) ? claims : undefined',
    'return claims',
    TOKENS,
  ],
  [
    'a resource server checks the key of the proof',
    VERIFY_REQUEST,
    'if (proof.jkt !== claims.cnf.jkt) ',
    'if (proof.jkt === "") ',
    ['test/verifier', 'test/attacks'],
  ],
  [
    'a resource server accepts a proof once',
    VERIFY_REQUEST,
    "refuse('invalid_token', 'the DPoP proof has been used before')",
    '{}',
    ['test/verifier', 'test/attacks'],
  ],
  [
    'a resource server with stale information answers 503',
    'src/verifier/standing.ts',
    '<= maxStalenessMs && feed.seq >= at',
    '>= 0 && feed.seq >= at',
    ['test/verifier'],
  ],
  [
    'a resource server that has read less of the log than the issuer asks the registry',
    'src/verifier/standing.ts',
    ' && feed.seq >= at',
    '',
    ['test/verifier'],
  ],
  [
    'a revoked handle is not valid',
    'src/protocol/standing.ts',
    'if (ended.has(handle)) return false',
    '',
    ['test/stories', 'test/verifier'],
  ],
  [
    'a barrier read starts after the request arrived',
    'src/trust-log/read-barrier.ts',
    'next = undefined\n    waiting = 0\n    const run = readLog(deps)',
    'waiting = 0\n    const run = readLog(deps).finally(() => {\n      next = undefined\n    })',
    ['test/trust-log'],
  ],
  [
    'a barrier read that took too long is not used',
    'src/trust-log/read-barrier.ts',
    'if (age(timed) <= deps.freshMs) return decision',
    'if (age(timed) >= 0) return decision',
    ['test/trust-log'],
  ],
  [
    'a viewer gets only the parts of its tier',
    'src/registry/cards/publishing/compose.ts',
    'policy !== undefined && tierCovers(tier, tierOf(policy, pointer.slice(AGENT_CARD.length)))',
    'policy !== undefined',
    ['test/registry/cards', 'test/attacks'],
  ],
  [
    'a card’s SD-JWT ends with its tilde',
    'src/credentials/agent-card/card-credential.ts',
    'verified.keyBinding === undefined || expected.keyBinding',
    'true',
    ['test/attacks/sd-jwt.test.ts'],
  ],
  [
    'a salt is used once',
    'src/credentials/agent-card/card-credential.ts',
    'salts.size < disclosures.length',
    'false',
    ['test/attacks/sd-jwt.test.ts'],
  ],
]

/** `only`: part of a rule's name. Reports each mutant by `say`. */
export async function runMutants({ only, say = () => {} } = {}) {
  const chosen = only === undefined ? MUTANTS : MUTANTS.filter(([rule]) => rule.includes(only))
  const folder = await mkdtemp(join(tmpdir(), 'credence-mutants-'))
  try {
    const workers = await Promise.all([0, 1].map((n) => copyTo(join(folder, String(n)))))
    const queue = [...chosen]
    const escaped = []
    let done = 0
    await Promise.all(
      workers.map(async (copy) => {
        for (let mutant = queue.shift(); mutant; mutant = queue.shift()) {
          const verdict = await plant(copy, mutant)
          if (verdict !== 'caught') escaped.push(`${mutant[0]} (${verdict})`)
          done += 1
          say(`${String(done).padStart(2)}/${chosen.length} ${verdict.padEnd(8)} ${mutant[0]}`)
        }
      }),
    )
    return { planted: chosen.length, escaped }
  } finally {
    await rm(folder, { recursive: true })
  }
}

async function copyTo(copy) {
  const skipped = new Set(['node_modules', '.git', 'dist'])
  await cp(root, copy, { recursive: true, filter: (path) => !skipped.has(path.slice(root.length + 1)) })
  await symlink(join(root, 'node_modules'), join(copy, 'node_modules'))
  return copy
}

/** Returns `caught` if a test fails, or `mismatch` if the source does not contain the original text exactly once. */
async function plant(copy, [, file, from, to, tests]) {
  const path = join(copy, file)
  const source = await readFile(path, 'utf8')
  if (source.split(from).length !== 2) return 'mismatch'
  await writeFile(
    path,
    source.replace(from, () => to),
  )
  try {
    await run('npx', ['vitest', 'run', '--bail=1', '--maxWorkers=1', ...tests], { cwd: copy, timeout: 180_000, maxBuffer: 64 << 20 })
    return 'escaped'
  } catch (error) {
    return error.killed ? 'hung' : /Tests .*failed|FAIL/.test(error.stdout) ? 'caught' : 'broken'
  } finally {
    await writeFile(path, source)
  }
}
