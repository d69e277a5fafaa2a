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
const GRANTED = 'src/delegation/introductions/decide/granted.ts'
const RELIANCE = 'src/registry/cards/reliance/reliance.ts'
const NEEDS_APPROVAL = ['test/delegation/introductions/decide/needs-approval.test.ts']
const CARD_RELIANCE = ['test/registry/cards/reliance/reliance.test.ts']
const TASK = 'src/oauth/grants/task.ts'
const TASKS = ['test/delegation/introductions/task.test.ts']
const NARROWING = ['test/oauth/grants/client-credentials.test.ts']
const NAMES = ['test/protocol/names.test.ts']
const DELEGATION = ['test/oauth/grants/delegation.test.ts']

const VERIFIED = ['test/registry/cards/verified.test.ts']
const NAMESPACES = ['test/identity/namespaces']
const AGENT_NAMES = ['test/identity/names']

/** [rule, file, original text, planted text, tests that may detect it] */
export const MUTANTS = [
  [
    'a proof that has ended verifies nothing, also when the ended set has forgotten its version',
    'src/identity/namespaces/find.ts',
    'endedAt === undefined && !trustLog',
    '!trustLog',
    VERIFIED,
  ],
  [
    'a proof verifies only what was published under it',
    'src/registry/cards/view.ts',
    '!proved || proved.ver !== namespace?.ver',
    '!proved',
    VERIFIED,
  ],
  [
    'a name that looks like one whose proof stands is refused, also if that one was offered',
    'src/identity/namespaces/authority.ts',
    '!(isOffered(known) && !isProved(deps, known))',
    '!isOffered(known)',
    NAMESPACES,
  ],
  [
    'of two look-alikes below the same labels that are proved at once, one fails',
    'src/identity/namespaces/check.ts',
    '      excluding,\n',
    '',
    NAMESPACES,
  ],
  [
    'a proof verifies only cards of its organisation',
    'src/identity/namespaces/find.ts',
    'if (known && known.orgId !== orgId) return undefined',
    '',
    VERIFIED,
  ],
  [
    'a text that another server wrote is not cut inside a surrogate pair',
    'src/lib/text.ts',
    ".replace(/[\\uD800-\\uDBFF]$/, '')",
    '',
    ['test/registry/cards/freshness', 'test/lib/text.test.ts'],
  ],
  [
    'no signature counts of an imported card of A2A 0.2, or that readers read differently',
    'src/registry/cards/import/import.ts',
    "cardState === 'legacy' || ambiguities.length > 0",
    'false',
    VERIFIED,
  ],
  [
    'a proof by file covers only the host that serves it',
    'src/identity/namespaces/find.ts',
    "(name === host || known.method === 'txt')",
    'name !== undefined',
    ['test/identity/namespaces/file.test.ts'],
  ],
  ['a view depends on the proof that it shows', 'src/registry/cards/view.ts', '      ...proofOf(card, verdict),\n', '', VERIFIED],
  [
    'a name that another organisation has proved needs an offer',
    'src/identity/namespaces/authority.ts',
    'const owned = [namespace, ',
    'const owned = [',
    NAMESPACES,
  ],
  [
    'a name below one that looks like a proved name is refused',
    'src/identity/namespaces/authority.ts',
    'const lookAlike = [namespace, ...parents].find(',
    'const lookAlike = [namespace].find(',
    NAMESPACES,
  ],
  [
    'a name below one that another organisation has lost is refused',
    'src/identity/namespaces/authority.ts',
    'const owned = [namespace, ...parents.filter((parent) => parent && !isProved(deps, parent))]',
    'const owned = [namespace]',
    NAMESPACES,
  ],
  [
    'a name above one of another organisation is refused',
    'src/identity/namespaces/authority.ts',
    'if (isOthers(known)) return isWithin',
    'if (false) return isWithin',
    NAMESPACES,
  ],
  [
    'the third failed check in a row ends a proof',
    'src/identity/namespaces/recheck.ts',
    'const MAX_FAILURES = 3',
    'const MAX_FAILURES = 4',
    NAMESPACES,
  ],
  [
    'a limit of the registry is no failed check',
    'src/identity/namespaces/evidence.ts',
    'isRefusal(error) && FAILURES.has(error.reason)',
    'isRefusal(error)',
    NAMESPACES,
  ],
  [
    'the name of a revoked agent stays reserved',
    'src/identity/names/agent-names.ts',
    'if (!holder || !(await wasNeverConfirmed(deps, holder)))',
    "if (!holder || !(holder.endedState === 'revoked' || (await wasNeverConfirmed(deps, holder))))",
    AGENT_NAMES,
  ],
  [
    'under a namespace a name belongs to its first agent',
    'src/registry/cards/publish.ts',
    'const naming = namespace ?',
    'const naming = namespace && input.agentId === undefined ?',
    AGENT_NAMES,
  ],
  [
    'an option that a function of the library does not have is refused',
    'src/protocol/options.ts',
    'if (!known.includes(name)) unknown.push(name)',
    'void unknown',
    ['test/client/options.test.ts'],
  ],
  [
    'a delegation right beyond the ceiling is refused at the request',
    'src/delegation/introductions/decide/requestable.ts',
    'coversRight(ceiling.rights, right, orgOf)',
    'true',
    ['test/delegation/introductions/introductions.test.ts'],
  ],
  [
    'the clock of a log whose time is plausible is not reset',
    'src/trust-log/recovery/restore.ts',
    'if (isPlausible(now, logTime) && !wasInterrupted(head))',
    'if (false)',
    ['test/stories/wrong-clock.test.ts'],
  ],
  [
    'who ended something and why is for those who may read the audit row',
    'src/audit/history.ts',
    "viewer.role === 'operator' ||",
    'true ||',
    ['test/audit/history.test.ts'],
  ],
  [
    'an expired task makes no further log entry',
    'src/delegation/tasks/end.ts',
    '|| task.deadline <= caller.barrier.now',
    '',
    ['test/audit/history.test.ts'],
  ],
  [
    'a replay key is not purged before the machine’s clock has passed its expiry',
    'src/server/maintenance.ts',
    'Math.min(deps.trustLog.logTime(), clock.now())',
    'deps.trustLog.logTime()',
    ['test/stories/wrong-clock.test.ts'],
  ],
  [
    'the first anchor of an epoch covers every chain',
    'src/audit/anchors.ts',
    'last === undefined ? [...(await newestLinks(store)), ...items] : items',
    'items',
    ['test/audit/anchors.test.ts'],
  ],
  [
    'a registry does not replace the head of another history at its witness',
    'src/trust-log/witness/witness.ts',
    'await requireSameHistory(witness, trustLog, seq)',
    '',
    ['test/trust-log/witness'],
  ],
  [
    'an instance that starts reads every ending that is not forgotten',
    'src/trust-log/apply.ts',
    'if (page.next === undefined) return',
    'if (page) return',
    ['test/trust-log/open-at.test.ts'],
  ],
  [
    'the tree of the newest block is checked at the start',
    'src/trust-log/apply.ts',
    'frontier = requireFrontier(previous && before > 0 ? frontierOf(previous) : EMPTY_FRONTIER, head)',
    'frontier = frontierOf(head)',
    ['test/trust-log/open-at.test.ts'],
  ],
  [
    'a clock that jumps stops decisions and writes',
    'src/trust-log/clock-rule.ts',
    "if (found !== undefined) refuse('clock_implausible'",
    "if (found === null) refuse('clock_implausible'",
    ['test/stories/wrong-clock.test.ts'],
  ],
  [
    'a start far from log time is refused',
    'src/trust-log/clock-rule.ts',
    "if (mode === 'checked') refuse(",
    "if (mode === 'none') refuse(",
    ['test/stories/wrong-clock.test.ts'],
  ],
  [
    'what was made while the clock was wrong is refused',
    'src/credentials/jose/jwt.ts',
    'if ((iat ?? (exp ?? 0) - (maxSeconds ?? 0)) < madeFrom)',
    'if (madeFrom < 0)',
    ['test/stories/wrong-clock.test.ts'],
  ],
  [
    'a client assertion is judged by the machine’s clock',
    'src/oauth/client-auth/client-auth.ts',
    'const now = deps.clock.now()',
    'const now = deps.trustLog.now()',
    ['test/stories/wrong-clock.test.ts'],
  ],
  [
    'what was forgotten under a wrong clock is ended again',
    'src/trust-log/recovery/restore.ts',
    'if (applied.time <= now) return []',
    'if (applied.time > 0) return []',
    ['test/stories/wrong-clock.test.ts'],
  ],
  [
    'nothing is purged by the machine’s clock',
    'src/server/maintenance.ts',
    'Math.min(deps.trustLog.logTime(), clock.now()) - PURGE_MARGIN_SECONDS',
    'clock.now()',
    ['test/stories/wrong-clock.test.ts'],
  ],
  [
    'an anchor of the audit is compared with its log entry',
    'src/audit/anchors.ts',
    "if (anchor === undefined || entry?.digest !== digestOf(anchor)) return 'broken'",
    "if (anchor === undefined) return 'broken'",
    ['test/audit/verify.test.ts'],
  ],
  [
    'an anchor of the audit is compared with the links that it names',
    'src/audit/anchors.ts',
    'links[i]?.hash === hash && ',
    "hash !== '' && ",
    ['test/audit/verify.test.ts'],
  ],
  [
    'a witness file refuses an epoch that was superseded',
    'src/trust-log/witness/file.ts',
    'if (before?.pastEpochs.includes(head.epoch))',
    'if (before?.pastEpochs.length === -1)',
    ['test/trust-log/witness'],
  ],
  [
    'what ended after a token had expired did not revoke it',
    'src/audit/history.ts',
    '.filter(({ endedAt }) => endedAt < before)',
    '.filter(({ endedAt }) => endedAt > 0 || before)',
    ['test/audit/history.test.ts'],
  ],
  [
    'a token that has expired is not standing again in the lineage',
    'src/oauth/lineage.ts',
    'wasRevoked || hasExpired ? await',
    'wasRevoked ? await',
    ['test/audit/history.test.ts'],
  ],
  [
    'a record does not outlive what it depends on',
    'src/trust-log/horizon-rule.ts',
    'record.expiresAt > earliest ||',
    'false ||',
    ['test/trust-log/horizon-rule.test.ts'],
  ],
  [
    'nothing that outlives tokens depends on a token or version',
    'src/trust-log/horizon-rule.ts',
    'const SHORT_LIVED = /^(?:tok|ver|rk):/',
    'const SHORT_LIVED = /^(?:ver):/',
    ['test/trust-log/horizon-rule.test.ts'],
  ],
  [
    'an introduction ends with the task that it names',
    'src/delegation/introductions/decide/grant.ts',
    'joinDependencies(identities, ...(task ? [dependenciesOfTask(task)] : []))',
    'joinDependencies(identities)',
    TASKS,
  ],
  [
    'a used assertion does not count for its client',
    'src/oauth/token-endpoint.ts',
    'if (isFirstUse && isFirstProof && (!isRefusal(proof) || request.headers.dpop === undefined)) {',
    'if (true) {',
    ['test/oauth/token-endpoint.test.ts'],
  ],
  [
    'the operations on one push notification configuration run one after the other',
    'src/verifier/a2a/push-configs.ts',
    'const running = (this.#running.get(key) ?? Promise.resolve()).then(work, work)',
    'const running = work()',
    ['test/verifier/a2a/push-configs.test.ts'],
  ],
  [
    'a refused handshake counts as a connection',
    'src/http/websocket.ts',
    'const tooMany = tooManyHeaders(raw, received.requestId)',
    'deps.connections.release(socket)\n    const tooMany = tooManyHeaders(raw, received.requestId)',
    ['test/http/websocket.test.ts'],
  ],
  [
    'no handshake follows a request that is not answered',
    'src/http/websocket.ts',
    'if (deps.connections.isBusy(socket)) return void socket.destroy()',
    '',
    ['test/http/websocket.test.ts'],
  ],
  [
    'no header is dropped',
    'src/http/handler/request.ts',
    'rawHeaders.length > 2 * MAX_HEADERS',
    'rawHeaders.length < 0',
    ['test/http/websocket.test.ts'],
  ],
  [
    'a witness cosigns only trees that extend the cosigned one',
    'src/trust-log/cosignatures/witness-endpoint.ts',
    'if (!isExtension)',
    'if (false)',
    ['test/trust-log/cosignatures/witness-endpoint.test.ts'],
  ],
  [
    'a witness compares the old size with the one that it knows',
    'src/trust-log/cosignatures/witness-endpoint.ts',
    'if (submitted.oldSize !== (stored?.size ?? 0)) return conflict(stored)',
    '',
    ['test/trust-log/cosignatures/witness-endpoint.test.ts'],
  ],
  [
    'a witness stores a tree only if no other was stored',
    'src/trust-log/cosignatures/witness-endpoint.ts',
    '{ size: stored.size, root: stored.root }, tree',
    '{}, tree',
    ['test/trust-log/cosignatures/witness-endpoint.test.ts'],
  ],
  [
    'a witness checks the signature of the log',
    'src/trust-log/cosignatures/witness-endpoint.ts',
    "return refuse('forbidden', 'a signature of the checkpoint is wrong')",
    'continue',
    ['test/trust-log/cosignatures/witness-endpoint.test.ts'],
  ],
  [
    'one wrong signature of a known key spoils a note',
    'src/credentials/signed-note.ts',
    'if (!(await isSignatureOf(key, signature, utf8(note.text)))) return undefined',
    'if (!(await isSignatureOf(key, signature, utf8(note.text)))) continue',
    ['test/credentials/signed-note.test.ts'],
  ],
  [
    'a cosignature is verified',
    'src/credentials/cosignature.ts',
    'Number.isSafeInteger(at) && (await isSignatureOf(key, found.signature.subarray(8), cosignedData(parsed.text, at)))',
    'Number.isSafeInteger(at)',
    ['test/credentials/signed-note.test.ts'],
  ],
  ['an epoch starts once', 'src/client/log/log.ts', 'if (isFirst && started === epoch)', 'if (false)', ['test/client/log/log.test.ts']],
  [
    'a path has one spelling',
    'src/http/handler/request.ts',
    'const path = withoutNeedlessEscapes(queryAt < 0 ? target : target.slice(0, queryAt))',
    'const path = queryAt < 0 ? target : target.slice(0, queryAt)',
    ['test/http/server.test.ts'],
  ],
  [
    'a URL as target of a request counts by its path',
    'src/http/handler/request.ts',
    "url.replace(/^https?:\\/\\/[^/?#]+\\/?/i, '/')",
    'url',
    ['test/http/handler/request.test.ts'],
  ],
  [
    'a connection is closed after a body that was not read',
    'src/http/handler/handler.ts',
    'response.shouldKeepAlive = false',
    '',
    ['test/http/limits/body-limit.test.ts'],
  ],
  ['reinstating an agent needs room', 'src/identity/agents/reinstate.ts', '...counting,', '', ['test/identity/limits/limits.test.ts']],
  [
    'a creation counts for its quota in its commit',
    'src/identity/limits/quota.ts',
    'await commit(generations.map(countingIn))',
    'await commit([])',
    ['test/identity/limits/instances.test.ts'],
  ],
  [
    'a socket that has closed watches no token',
    'src/revocations/feed-subscriber.ts',
    'if (this.#isStopped) return',
    '',
    ['test/revocations/feed-subscriber.test.ts'],
  ],
  [
    'a response after a late commit is refused if something has ended',
    'src/trust-log/read-barrier.ts',
    'if (age(barrier) <= deps.freshMs) return\n',
    'return\n',
    ['test/stories/late-writes.test.ts'],
  ],
  [
    'the clients of an organisation share its maximum of sockets',
    'src/http/limits/socket-limit.ts',
    'if (sizeOf(byOrganisation, orgId) >= ofOrganisation) ',
    'if (false) ',
    ['test/http/limits/socket-limit.test.ts'],
  ],
  [
    'a limit is at most the maximum of the caller',
    'src/identity/limits/set.ts',
    'value > maximum[name]',
    'false',
    ['test/identity/limits'],
  ],
  [
    'live instances divide a rate',
    'src/http/limits/rate-limit.ts',
    'perSecond / liveInstances()',
    'perSecond',
    ['test/http/limits/rate-limit.test.ts'],
  ],
  [
    'only administrators of the organisation register its keys',
    'src/identity/keys/authority.ts',
    "(action === 'register' ? mayRegister(caller, owner, orgId) : mayOversee(caller, orgId))",
    'mayOversee(caller, orgId)',
    ['test/stories/roles.test.ts'],
  ],
  [
    'members do not revoke the keys of agents',
    'src/identity/keys/authority.ts',
    "if (action === 'see' || caller.id === owner) return orgId",
    "if (action !== 'register' || caller.id === owner) return orgId",
    ['test/stories/roles.test.ts'],
  ],
  [
    'only an administrator widens a ceiling',
    'src/identity/agents/change.ts',
    'if (isAdminOf(caller, agent.orgId)) return',
    'return',
    ['test/stories/roles.test.ts'],
  ],
  [
    'an operator invites an administrator only to an organisation without one',
    'src/identity/members/invite.ts',
    "(role === 'member' || !(await hasAdministrator(deps, orgId)))",
    'true',
    ['test/stories/roles.test.ts'],
  ],
  [
    'an operator does not publish for an organisation',
    'src/registry/cards/authority.ts',
    "action === 'withdraw' ? maySee : isMemberOf",
    'maySee',
    ['test/stories/roles.test.ts'],
  ],
  [
    'a key that does not fit the header takes no place among the keys that are tried',
    'src/credentials/jose/jws.ts',
    'for (const key of fittingKeys(jws.header, keys).slice(0, MAX_KEYS_TRIED))',
    'for (const key of fittingKeys(jws.header, keys.slice(0, 20)))',
    ['test/identity/keys'],
  ],
  [
    'the end of a key makes an unknown kid read the keys at once',
    'src/credentials/jose/jwks-cache.ts',
    ' || keys.some(({ jwk }) => isRevoked(jwk.kid))',
    '',
    ['test/credentials/jose/jwks-cache.test.ts'],
  ],
  [
    'each time claim is judged, whatever the kind of the JWT',
    'src/credentials/jose/jwt.ts',
    'times: shapedAs(claims, kind, Times)',
    'times: {}',
    ['test/credentials/jose/token-types.test.ts'],
  ],
  [
    'a key of small order is refused',
    'src/credentials/jose/jwk.ts',
    'return degeneracyOf(jwk) ?? parsedKeys.set(',
    'return parsedKeys.set(',
    ['test/credentials/jose/jwk.test.ts'],
  ],
  [
    'a ceiling for an organisation covers its own agents only',
    'src/protocol/rights.ts',
    'return organisation === wide.organisation',
    'return organisation !== undefined',
    ['test/protocol/rights.test.ts'],
  ],
  [
    'a frame of a tRPC socket is strict JSON',
    'src/http/trpc/over-websocket.ts',
    'const parsed = requireJson(text)',
    'const parsed = JSON.parse(text)',
    ['test/http/trpc/links.test.ts'],
  ],
  [
    'a mutation over HTTP needs POST',
    'src/http/trpc/over-http.ts',
    "type === 'mutation' && method !== 'POST'",
    'false',
    ['test/http/trpc/stock-adapter.test.ts'],
  ],
  [
    'a large body is parsed only once its caller is authenticated',
    'src/http/trpc/over-http.ts',
    'request.body.length > BODY_BYTES && !(await ctx.findCaller())',
    'false',
    ['test/http/trpc/over-http.test.ts'],
  ],
  [
    'a caller leaves free slots for others',
    'src/http/limits/concurrency-limit.ts',
    'if (runningOf(key) < slots - runningTotal) return key',
    'if (runningTotal < slots) return key',
    ['test/http/limits'],
  ],
  [
    'credentials that fail count against the rate of their address',
    'src/http/limits/request-queues.ts',
    'if (response.status < 400) uncount()',
    'uncount()',
    ['test/http/limits'],
  ],
  [
    'an assertion has this issuer as its audience',
    VERIFY,
    "claims.aud !== expected.issuer && '`aud` is not exactly this issuer',\n    timeFault(times, expected.now, MAX_PROOF_SECONDS, expected.madeFrom),\n  ])\n  return { claims, jkt: key.jkt }",
    'timeFault(times, expected.now, MAX_PROOF_SECONDS, expected.madeFrom),\n  ])\n  return { claims, jkt: key.jkt }',
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
  [
    'an agent requests an introduction only for a task that it works under',
    'src/delegation/tasks/authority.ts',
    'return task && worksUnder ? task',
    'return task ? task',
    TASKS,
  ],
  [
    'an introduction does not outlive its task',
    'src/delegation/introductions/decide/grant.ts',
    ', task?.deadline ?? Number.POSITIVE_INFINITY)',
    ')',
    TASKS,
  ],
  [
    'another approval does not extend an introduction',
    'src/delegation/introductions/decide/grant.ts',
    'request.expiresAt ?? Number.POSITIVE_INFINITY',
    'Number.POSITIVE_INFINITY',
    NEEDS_APPROVAL,
  ],
  [
    'another approval gives the bounds a new version',
    'src/delegation/introductions/decide/grant.ts',
    'isGranted ? [{ handle: boundsVersion }] : []',
    '[]',
    NEEDS_APPROVAL,
  ],
  [
    'a task must stand at the grant of an introduction',
    'src/delegation/tasks/authority.ts',
    'stands(trustLog.ended, [task.handle',
    'stands(new Set(), [task.handle',
    TASKS,
  ],
  ['an introduction for a task allows exchanges only for it', TASK, 'introductionTask !== undefined && ![', 'false && ![', TASKS],
  [
    'an introduction for a task allows no exchange without a task',
    TASK,
    'if (introductionTask === undefined) return undefined',
    'return undefined',
    TASKS,
  ],
  [
    'a narrowing parameter that a grant does not serve is refused',
    'src/oauth/grants/narrowing.ts',
    'NARROWING.test(folded(name)) && !isServed(name)',
    'false',
    NARROWING,
  ],
  ['a requested lifetime is honoured', ISSUE, 'decision.seconds ?? maxSeconds', 'maxSeconds', NARROWING],
  [
    'a root token without tokens:exchange is not exchanged',
    SUBJECT,
    'if (isRoot) requireExchangeScope(deps, claims, client)',
    '',
    NARROWING,
  ],
  ['exchange_rights bound an exchange', EXCHANGE, '...(claims.exchange_rights ? [{', '...(false ? [{', NARROWING],
  ['names that are not plain are refused', 'src/protocol/rights.ts', '.refine(isPlainName, ', '.refine(() => true, ', NAMES],
  ['a name that is not plain is covered by no other', 'src/protocol/rights.ts', ' && isPlainName(narrow))', ')', NAMES],
  [
    'a guard accepts no need that is not a plain name',
    VERIFY_REQUEST,
    'name !== undefined && !isPlainName(name)',
    'false',
    ['test/verifier/verify-request.test.ts'],
  ],
  [
    'an anonymous caller cannot tell an unknown client from a bad assertion',
    CLIENT_AUTH,
    'if (isRefusal(error)) return deny()\n    throw error',
    'throw error',
    ['test/oauth/token-endpoint.test.ts'],
  ],
  [
    'an introspection is answered after its audit row is durable',
    'src/oauth/introspect-endpoint.ts',
    'await deps.audit.record({',
    'void deps.audit.record({',
    ['test/stories/late-writes.test.ts'],
  ],
  ['an assertion is accepted once', CLIENT_AUTH, 'if (!isFirst) return deny()', '', TOKENS],
  ['a printed text that others wrote cannot end the line', 'src/cli/output.ts', 'printable(line)', 'line', ['test/cli/output.test.ts']],
  [
    'a witness in the data directory is refused outside development mode',
    'src/server/config.ts',
    'if (!isUrl(witness) && isInside(witness, dataDirectory))',
    'if (false)',
    ['test/server/config.test.ts'],
  ],
  [
    'a write-ahead log that others can read is made private',
    'src/storage/sqlite/database.ts',
    'for (const name of filesOf(file)) requirePrivate(name)',
    'requirePrivate(file)',
    ['test/storage/sqlite/open.test.ts'],
  ],
  [
    'a restore compares a mirror with the root of the witness',
    'src/trust-log/recovery/mirror-proof.ts',
    "requireRoot(witnessed.root, entry, 'the witness has')",
    '',
    ['test/trust-log/recovery/restore.test.ts'],
  ],
  [
    'a restore compares a mirror with its checkpoint',
    'src/trust-log/recovery/mirror-proof.ts',
    "requireRoot(checkpoint.root, entry, 'its checkpoint')",
    '',
    ['test/trust-log/recovery/restore.test.ts'],
  ],
  [
    'a checkpoint proves a mirror only if a key of the store has signed it',
    'src/trust-log/recovery/mirror-proof.ts',
    'if (checkpoint.isSigned) proven',
    'proven',
    ['test/trust-log/recovery/restore.test.ts'],
  ],
  [
    'a restore refuses a damaged backup before it writes',
    'src/operations/restore/restore.ts',
    'if (!isCurrent) await requireSound(storage)',
    '',
    ['test/attacks/restore.test.ts'],
  ],
  [
    'a damaged search row is left out of a search',
    'src/storage/card-search/read-summary.ts',
    'if (!(error instanceof DamagedStore)) throw error',
    'if (error instanceof DamagedStore) throw error',
    ['test/storage/sqlite/damaged-card.test.ts'],
  ],
  [
    'a check compares the horizon of a block with its entries',
    'src/storage/sqlite/inspect.ts',
    'if (first !== data.first || until !== expected)',
    'if (first !== data.first)',
    ['test/operations/check/check.test.ts'],
  ],
  [
    'the introduction policy of the target limits the lifetime of an introduction',
    'src/delegation/introductions/decide/grant.ts',
    ', target.introductionPolicy.maxSeconds)',
    ')',
    ['test/delegation/introductions/introductions.test.ts'],
  ],
  [
    'a child task ends at the latest with its parent',
    'src/delegation/tasks/new-task.ts',
    'Math.min(deadline, parent?.deadline ?? Number.POSITIVE_INFINITY)',
    'deadline',
    ['test/delegation/tasks'],
  ],
  [
    'what a compromised key grants while its compromise is logged is revoked too',
    'src/identity/keys/compromise.ts',
    'if (position !== undefined && fresh.length === 0)',
    'if (position !== undefined)',
    ['test/identity/keys/compromise.test.ts'],
  ],
  [
    'maintenance purges no document before its expiry',
    'src/server/maintenance.ts',
    'const purgedUntil = Math.min(deps.trustLog.logTime(), clock.now()) - PURGE_MARGIN_SECONDS',
    'const purgedUntil = deps.trustLog.logTime() + 3600',
    ['test/server/maintenance.test.ts'],
  ],
  [
    'a mutation is not callable by GET',
    'src/delegation/tasks/routes.ts',
    '.mutation(({ ctx, input }) => createTask',
    '.query(({ ctx, input }) => createTask',
    ['test/attacks/own.test.ts'],
  ],
  ['a suspended client cannot authenticate', CLIENT_AUTH, 'stands(trustLog.ended, dependencies.handles) && ', '', TOKENS],
  ['a revoked key cannot authenticate', CLIENT_AUTH, ' && stands(trustLog.ended, [handle])', '', ['test/attacks', 'test/stories']],
  [
    'a record is cached no longer than a revoked version stays in the ended set',
    'src/trust-log/cache.ts',
    'Math.abs(trustLog.now() - known.readAt) < MAX_AGE_SECONDS && ',
    '',
    ['test/trust-log', 'test/registry/cards/reliance'],
  ],
  [
    'a cached client is confirmed after the read barrier',
    CLIENT_AUTH,
    'isSame && isStanding(deps, verified.client) && isUsable(deps, verified.key)',
    'true',
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
    'if (proof.jkt !== claims.cnf?.jkt) ',
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
  [
    'a proof’s time is within the window',
    DPOP,
    '< expected.now - window && `\\`iat',
    '> window * 100 && `\\`iat',
    ['test/credentials', 'test/attacks'],
  ],
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
    'claims.aud === deps.issuer && presenterOf(claims) === client.id && claims.cnf?.jkt === jkt && claims.act',
    'claims.aud === deps.issuer && claims.cnf?.jkt === jkt && claims.act',
    TOKENS,
  ],
  [
    'a root token is exchanged under its key',
    SUBJECT,
    'presenterOf(claims) === client.id && claims.cnf?.jkt === jkt && claims.act',
    'presenterOf(claims) === client.id && claims.act',
    TOKENS,
  ],
  ['an introduced token is exchanged only with delegation', SUBJECT, ' && claims.delegation !== undefined', '', TOKENS],
  [
    'a token depends on what its subject token depends on',
    SUBJECT,
    'dependenciesOf(identities, found.claims.exp)',
    'dependenciesOf([], found.claims.exp)',
    TOKENS,
  ],
  ['a token depends on everything that was read to decide', ISSUE, '    ...decision.dependencies,\n', '', TOKENS],
  ['a token depends on the current versions of all agents in its chain', SUBJECT, '...agents, ...steps)', '...steps)', TOKENS],
  ['a token depends on each step of its chain', SUBJECT, '...agents, ...steps)', '...agents)', DELEGATION],
  ['a token depends on its client', ISSUE, '    client.dependencies,\n', '', TOKENS],
  ['a token depends on its client’s key', ISSUE, '[key.handle, handleOfToken(jti)', '[handleOfToken(jti)', TOKENS],
  [
    'a token expires no later than what it depends on',
    ISSUE,
    'Math.min(now + seconds, Math.floor(dependencies.expiresAt))',
    'now + seconds',
    TOKENS,
  ],
  ['an exchange needs a valid introduction', GRANTED, 'changes.length === 0', 'changes.length >= 0', NEEDS_APPROVAL],
  ['an introduction relies on its interface and security', GRANTED, ', ...connectionLosses(relied, card)', '', NEEDS_APPROVAL],
  ['an introduction relies on its scopes and skills', GRANTED, ', ...offerLosses(relied, card)', '', NEEDS_APPROVAL],
  ['an introduction relies on the key that signed the card', GRANTED, 'stands(ended, card.signer)', 'true', NEEDS_APPROVAL],
  ['an introduction relies on a card that stays published', GRANTED, 'card?.publication !== relied.publication', '!card', NEEDS_APPROVAL],
  ['an interface is relied on by its binding', RELIANCE, 'one.protocolBinding === wanted.protocolBinding && ', '', CARD_RELIANCE],
  ['an interface is relied on by its URL', RELIANCE, ' && hrefOf(one) === hrefOf(wanted)', '', CARD_RELIANCE],
  ['the security requirements are relied on', RELIANCE, 'relied.security === current.security', 'true', CARD_RELIANCE],
  ['granted scopes must be offered', RELIANCE, 'coveredBySome(current.scopes, scope)', 'true', CARD_RELIANCE],
  ['a skill must not get weaker', RELIANCE, 'isNoWeaker(skill.security, security)', 'true', CARD_RELIANCE],
  [
    'an alternative needs all scopes of the old one',
    RELIANCE,
    ' && scopes.every((scope) => has.get(scheme)?.has(scope))',
    '',
    CARD_RELIANCE,
  ],
  ['prose of a security scheme has no meaning', RELIANCE, "new Set(['description', 'bearerFormat', 'scopes'])", 'new Set()', CARD_RELIANCE],
  [
    'a publication that takes something away ends a version',
    'src/registry/cards/publishing/save-card.ts',
    'handle: ended ?? newHandle',
    'handle: newHandle',
    ['test/registry/cards/public-log.test.ts'],
  ],
  [
    'a card is read again before something is missed in a cached one',
    GRANTED,
    'cached.affected.length === 0 ? cached : sortedWith(await deps.findReliance(to))',
    'cached',
    ['test/stories/cached-state.test.ts'],
  ],
  ['an introduction limits the scopes', EXCHANGE, '.reduce(intersectNames, bounds.scopes)', '.reduce(intersectNames)', TOKENS],
  ['the ceiling limits the scopes', EXCHANGE, '    ...ceilings.map(({ rights }, i) => ({ name: nameOf(i), rights })),\n', '', TOKENS],
  ['the ceiling of every agent in the chain limits the scopes', EXCHANGE, '[...ceilings, client.ceiling]', '[client.ceiling]', DELEGATION],
  ['the ceiling of every agent in the chain limits the depth', EXCHANGE, 'if (ceilings.some(', 'if (false && ceilings.some(', DELEGATION],
  ['the subject token limits the scopes', EXCHANGE, "...(kind === 'root' ? [] : [{", '...(true ? [] : [{', TOKENS],
  ['the delegation depth shrinks at each step', EXCHANGE, '(claims.delegation?.depth ?? 0) - 1', '(claims.delegation?.depth ?? 0)', TOKENS],
  ['the task belongs to the subject', TASK, '!task || !(isOfSubject || isOwn) ||', '!task ||', TOKENS],
  ['a token depends on its task', EXCHANGE, '...(task ? [task.dependencies] : []),', '', TOKENS],
  ['no agent occurs twice in a chain', EXCHANGE, 'if (agents.includes(target) ||', 'if (false ||', TOKENS],
  [
    'introspection is limited to the parties of the token',
    'src/oauth/introspect-endpoint.ts',
    '!found || !(await mayInspect(deps, client, found.claims))',
    '!found',
    TOKENS,
  ],
  [
    'introspection reports revoked tokens as inactive',
    'src/oauth/introspect-endpoint.ts',
    'return stands(deps.trustLog.ended, found.dependsOn) ? found.claims : undefined',
    'return found.claims',
    TOKENS,
  ],
  [
    'a verification is limited to the parties of the token',
    'src/oauth/verify.ts',
    'found && (await mayInspect(deps, caller, found.claims)) ? found : undefined',
    'found',
    TOKENS,
  ],
  [
    'a task ends with a token only if the caller may end it',
    'src/delegation/tasks/end.ts',
    "task && (task.owner === caller.id || mayOversee(caller, task.orgId)) ? task : refuse('not_found', 'no such task')",
    "task ? task : refuse('not_found', 'no such task')",
    TOKENS,
  ],
  [
    'a use is counted once',
    'src/delegation/uses/count.ts',
    'audit.store.links.changing(link.id, { isUncounted: true }, { isUncounted: undefined }),',
    'audit.store.links.changing(link.id, {}, { isUncounted: undefined }),',
    ['test/delegation/uses'],
  ],
  [
    'a resource server checks the key of the proof',
    VERIFY_REQUEST,
    'if (proof?.jkt !== claims.cnf?.jkt) ',
    'if (proof?.jkt === "") ',
    ['test/verifier', 'test/attacks'],
  ],
  [
    'a bound token needs its proof, also where bearer tokens are allowed',
    VERIFY_REQUEST,
    'if (proof?.jkt !== claims.cnf?.jkt) ',
    'if (proof && proof.jkt !== claims.cnf?.jkt) ',
    ['test/delegation/resources'],
  ],
  [
    'only a resource that accepts bearer tokens has them',
    'src/oauth/grants/token-exchange.ts',
    "if (!bearerTokens || target.resource?.bearer !== 'allowed') refuseWithoutProof()",
    'if (!bearerTokens) refuseWithoutProof()',
    ['test/delegation/resources'],
  ],
  [
    'bearer tokens need the setting of the operator',
    'src/oauth/grants/token-exchange.ts',
    "if (!bearerTokens || target.resource?.bearer !== 'allowed') refuseWithoutProof()",
    "if (target.resource?.bearer !== 'allowed') refuseWithoutProof()",
    ['test/delegation/resources'],
  ],
  [
    'a pattern in a ceiling allows no resource',
    'src/delegation/introductions/decide/requestable.ts',
    '(isResource ? undefined : orgId)',
    'orgId',
    ['test/delegation/resources'],
  ],
  [
    'a resource is proved by a document that names it',
    'src/delegation/resources/prove.ts',
    'return credence_resource === id ? undefined : `',
    'return true ? undefined : `',
    ['test/delegation/resources'],
  ],
  [
    'a resource is bound by its current policy',
    'src/oauth/grants/target.ts',
    "policyDecision(found.target, orgId, { scopes: [] }).outcome === 'closed'",
    'false',
    ['test/delegation/resources'],
  ],
  [
    'a pair whose introduction the resource has revoked must ask',
    'src/delegation/introductions/request.ts',
    "byPolicy.outcome === 'open' && (await mustAsk(deps, introduction.pair))",
    'false',
    ['test/delegation/resources'],
  ],
  [
    'a refused request creates no introduction',
    'src/oauth/grants/target.ts',
    'const introductions = [prospectiveTo(found.resource, presenter.data, now)]',
    'const introductions = [prospectiveTo(found.resource, presenter.data, now)]; await deps.introduceToOpen(client, found.resource, { now } as Barrier)',
    ['test/delegation/resources'],
  ],
  [
    'tokens depend on the state of their task',
    'src/delegation/tasks/task-dependencies.ts',
    'chain.flatMap(({ stateVer }) => (stateVer === undefined ? [] : [stateVer]))',
    '[]',
    ['test/delegation/tasks'],
  ],
  [
    'an open policy introduces a pair once',
    'src/delegation/resources/introduce-to-open.ts',
    'if ((await openPairs.get(introduction.pair)) !== undefined) return',
    'await openPairs.take(introduction.pair, {})',
    ['test/delegation/resources'],
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
    '<= maxAgeMs && feed.seq >= at',
    '>= 0 && feed.seq >= at',
    ['test/verifier'],
  ],
  [
    'a guard without needs is refused',
    'src/verifier/needs.ts',
    "if (!Object.values(needs).some((value) => typeof value === 'string' && value !== ''))",
    'if (needs === null)',
    ['test/verifier/guards.test.ts'],
  ],
  [
    'one key cannot use up the memory for used proofs',
    'src/verifier/stores.ts',
    'if ((counts.get(keyOf(name)) ?? 0) >= free)',
    'if (free <= 0)',
    ['test/verifier/stores.test.ts'],
  ],
  [
    'a client sends nothing to an unencrypted registry',
    'src/client/registry.ts',
    "if (url.protocol === 'http:' && !isLoopback(url.hostname))",
    'if (url.port === "0")',
    ['test/client/errors.test.ts'],
  ],
  [
    'an open response ends when something that its token depends on is revoked',
    'src/verifier/open-requests.ts',
    "if (result.state === 'ended') this.#end(request)",
    "if (result.state === 'ended') return",
    ['test/verifier/open-responses.test.ts'],
  ],
  [
    'an open response ends when its token expires',
    'src/verifier/open-requests.ts',
    'if (isConfirmed && this.#now < request.expiresAt)',
    'if (isConfirmed)',
    ['test/verifier/open-responses.test.ts'],
  ],
  [
    'an open response ends when its token cannot be confirmed within the maximum staleness',
    'src/verifier/open-requests.ts',
    'if (isConfirmed && this.#now < request.expiresAt)',
    'if (this.#now < request.expiresAt)',
    ['test/verifier/open-responses.test.ts'],
  ],
  [
    'push notifications end with the token that asked for them',
    'src/verifier/a2a/push-configs.ts',
    'await this.#handler.deleteTaskPushNotificationConfig(config, context).catch(this.#verifier.onBug)',
    '',
    ['test/verifier/a2a/open-calls.test.ts'],
  ],
  [
    'a message with a push notification configuration needs what the method that creates one needs',
    'src/verifier/a2a/guard-a2a.ts',
    "authorise('CreateTaskPushNotificationConfig', { ...config, taskId: message?.taskId ?? '' }, context)",
    '',
    ['test/verifier/a2a/open-calls.test.ts'],
  ],
  [
    'a tier of a part that is not hidden is refused',
    'src/credentials/agent-card/sign-card.ts',
    'if (!nonPublic.includes(pointer)) return',
    "if (pointer === '') return",
    ['test/credentials/agent-card/sign-card.test.ts'],
  ],
  [
    'a private pointer of a release policy names a withheld part',
    'src/registry/cards/publishing/check-publication.ts',
    'const unknown = unknownPointers(policy, credential)',
    'const unknown = []',
    ['test/registry/cards/publishing/check-publication.test.ts'],
  ],
  [
    'a card is signed in every form that differs',
    'src/credentials/agent-card/card-signatures.ts',
    "new Set((['raw', 'spec', 'sdk'] as const)",
    "new Set((['raw'] as const)",
    ['test/conformance/a2a-sdk.test.ts'],
  ],
  [
    'the signature that covers most of a card decides',
    'src/credentials/agent-card/card-signatures.ts',
    'a.uncoveredSecurity.length - b.uncoveredSecurity.length || a.uncovered.length - b.uncovered.length || ',
    '',
    ['test/registry/cards/publishing/check-publication.test.ts'],
  ],
  [
    'what a card says about security beyond its signature is found',
    'src/credentials/agent-card/card-security.ts',
    '...uncoveredTwins(card, form, signed),',
    '',
    ['test/credentials/agent-card/card-security.test.ts'],
  ],
  [
    'outside development mode, addresses in cards are public',
    'src/registry/cards/publishing/public-urls.ts',
    'if (isSpecialUseHost(hostname)) return',
    "if (hostname === '') return",
    ['test/registry/cards/publishing/public-urls.test.ts'],
  ],
  [
    'a closed feed socket releases the signal of its token',
    'src/revocations/feed-subscriber.ts',
    'this.#unlisten()\n    this.#watch.abort()',
    'this.#unlisten()',
    ['test/revocations/revocation-signals.test.ts'],
  ],
  [
    'handles with the same hash are told apart',
    'src/protocol/log/handle-table.ts',
    '(isSame(entries, number * WORDS) && (isPacked || this.#texts.get(number) === handle))',
    'entries[number * WORDS + HASH] === hash',
    ['test/protocol/log/handle-table.test.ts'],
  ],
  [
    'an ended handle with two horizons is forgotten after the later one',
    'src/protocol/log/handle-table.ts',
    'if (minuteOf(this.#horizonOf(number)) < minute) this.#remove(number)',
    'if (number) this.#remove(number)',
    ['test/protocol/log'],
  ],
  [
    'a feed socket that has drained is sent the rest',
    'src/revocations/backpressure-socket.ts',
    'leavesMuch ? this.#onSent : undefined',
    'undefined',
    ['test/revocations/feed-subscriber.test.ts'],
  ],
  [
    'a reader of the log accepts an entry only in the form that its leaf hashes',
    'src/client/log/log.ts',
    'return isStrict && canonical(entry) === text\n',
    'return isStrict\n',
    ['test/client/log/log.test.ts'],
  ],
  [
    'the log shows no entry that this instance has not applied',
    'src/trust-log/new-trust-log.ts',
    'Math.min(limit, applied.seq + 1 - seq)',
    'limit',
    ['test/trust-log/log-entries.test.ts'],
  ],
  [
    'a feed whose connection has died without a sign connects again',
    'src/client/feed.ts',
    'if (this.#arrived === arrived) this.#dropDead(socket)',
    '',
    ['test/client/feed.test.ts'],
  ],
  [
    'endings whose handler failed are delivered again',
    'src/client/feed-state.ts',
    'if (last <= deliveredSeq) return []',
    "if (outcome !== 'applied') return []",
    ['test/client/feed-state.test.ts'],
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
    'if (age(barrier) <= deps.freshMs) return decision',
    'if (age(barrier) >= 0) return decision',
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

/** Without the project over MongoDB, which would run some of the tests again. */
const VITEST = ['node_modules/vitest/vitest.mjs', 'run', '--project=embedded', '--project=alone', '--bail=1', '--maxWorkers=1']

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
    // One folder after the other: the first is where the rule is tested most likely
    for (const folder of tests) {
      const verdict = await verdictOf(folder, copy)
      if (verdict !== 'escaped') return verdict
    }
    return 'escaped'
  } finally {
    await writeFile(path, source)
  }
}

/** `caught` if a test in the folder or file fails. */
const verdictOf = (path, cwd) =>
  run(process.execPath, [...VITEST, path], { cwd, timeout: 300_000, maxBuffer: 64 << 20 }).then(
    () => 'escaped',
    (error) => (error.killed ? 'hung' : /Tests .*failed|FAIL/.test(error.stdout) ? 'caught' : 'broken'),
  )
