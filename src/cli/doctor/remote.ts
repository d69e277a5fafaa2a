// Checks of a registry from outside, as a stranger can make them.
import { z } from 'zod'
import { sha256 } from '#crypto'
import { fetchRegistryKeys, isConsistent, isIncluded, readCheckpoint, readCosignedCheckpoint } from '../../client/index.js'
import { canonical } from '../../credentials/jose/canonical-json.js'
import { base64url, decodeUtf8 } from '../../lib/bytes.js'
import type { Clock } from '../../lib/clock.js'
import { fetchBytes, fetchJson } from '../../lib/io/fetch-json.js'
import { SKEW_SECONDS } from '../../protocol/claims.js'
import { Entry, parsePosition } from '../../protocol/log/entry.js'
import { hashLeaf } from '../../protocol/log/merkle.js'
import type { LogHead } from '../../trust-log/witness/witness.js'
import { type Check, duration, fail, messageOf, ok, tryCheck, warn } from './check.js'
import { checkDns, checkTls, checkUpgrade } from './connection.js'

interface RemoteDeps {
  readonly issuer: string
  readonly clock: Clock
  /** The version of this command. */
  readonly version: string
  /** Verifier keys of witnesses that must have cosigned the log. */
  readonly cosigners: readonly string[]
}

const METADATA = '/.well-known/oauth-authorization-server'
const UNREACHABLE = 'Check that the registry runs (/readyz on its admin port) and that the proxy forwards to it.'
const LOG_TODO = 'The log of the registry cannot be trusted as it is shown here: compare it with a mirror (credence log verify --since).'
/** A witness is updated every second. */
const WITNESS_LAG_SECONDS = 60

/** The checks stop where the next ones would only repeat a failure. */
export async function checkRegistry(deps: RemoteDeps): Promise<Check[]> {
  const { issuer, clock } = deps
  const url = new URL(issuer)
  const dns = await checkDns(url)
  if (dns.state === 'fail') return [dns]
  const tls = await tryCheck('tls', 'Check that a proxy with TLS 1.2 or 1.3 listens there.', () => checkTls(clock, url))
  if (tls.state === 'fail') return [dns, tls]
  const metadata = await fetchBytes(clock, issuer + METADATA).catch(messageOf)
  if (typeof metadata === 'string') return [dns, tls, fail('http', metadata, UNREACHABLE)]
  const checks = [
    dns,
    tls,
    checkMetadata(issuer, metadata.status, decodeUtf8(metadata.body) ?? ''),
    checkClock(clock, metadata.headers.get('date')),
    await checkUpgrade(clock, url),
  ]
  if (checks.some(({ check, state }) => check === 'issuer' && state === 'fail')) return checks
  const more = [
    tryCheck('version', UNREACHABLE, () => checkVersion(deps)),
    tryCheck('jwks', UNREACHABLE, () => checkKeys(deps)),
    tryCheck('log', LOG_TODO, () => checkLog(deps)),
    tryCheck('cosignatures', COSIGNER_TODO, () => checkCosignatures(deps)),
  ]
  return [...checks, ...(await Promise.all(more))]
}

const Metadata = z.object({ issuer: z.string(), token_endpoint: z.string(), jwks_uri: z.string(), credence_revocations: z.string() })

/** Clients refuse a registry whose metadata name another issuer or another origin. */
function checkMetadata(issuer: string, status: number, text: string): Check {
  const metadata = Metadata.safeParse(jsonOf(text))
  if (status !== 200 || !metadata.success)
    return fail('issuer', `${METADATA} responded with status ${status} and without the metadata of a registry`, UNREACHABLE)
  const { issuer: named, ...endpoints } = metadata.data
  if (named !== issuer)
    return fail(
      'issuer',
      `the registry at ${issuer} names itself ${named}`,
      `Use ${named}, or correct --issuer before the first token is issued.`,
    )
  const elsewhere = Object.values(endpoints).find((endpoint) => originOf(endpoint.replace(/^ws/, 'http')) !== issuer)
  return elsewhere === undefined
    ? ok('issuer', `${named}, and all endpoints are there`)
    : fail('issuer', `the endpoint ${elsewhere} is on another origin`, 'Do not let a proxy rewrite the metadata.')
}

const originOf = (url: string): string | undefined => (URL.canParse(url) ? new URL(url).origin : undefined)

function checkClock(clock: Clock, date: string | null): Check {
  const theirs = Date.parse(date ?? '') / 1000
  if (Number.isNaN(theirs)) return warn('clock', 'the response has no Date header', 'Let the proxy pass the Date header.')
  const difference = Math.round(clock.now() - theirs)
  const text = `the clock of this machine is ${duration(difference)} ${difference < 0 ? 'behind' : 'ahead of'} that of the registry`
  // A Date header has whole seconds, and the response takes time
  if (Math.abs(difference) <= SKEW_SECONDS) return ok('clock', `differs by ${duration(difference)} from that of the registry`)
  return Math.abs(difference) < 60
    ? warn('clock', text, 'Run NTP on both machines.')
    : fail('clock', text, 'Run NTP on both machines: assertions and proofs of this machine are refused.')
}

async function checkVersion({ issuer, clock, version }: RemoteDeps): Promise<Check> {
  const { body } = await fetchBytes(clock, `${issuer}/`)
  const theirs = /\(Credence (\d+\.\d+\.\d+[\w.-]*)\)/.exec(decodeUtf8(body) ?? '')?.[1]
  if (theirs === undefined) return warn('version', 'the page / does not say which version the registry has', 'Let the proxy forward / too.')
  return theirs === version
    ? ok('version', theirs)
    : warn('version', `the registry has version ${theirs}, this command ${version}`, 'Use the same version, if a command fails.')
}

async function checkKeys({ issuer }: RemoteDeps): Promise<Check> {
  const uses = ['token', 'card', 'log']
  const counts = await Promise.all(uses.map(async (use) => (await fetchRegistryKeys(issuer, use)).length))
  const missing = uses.filter((_, i) => counts[i] === 0)
  return missing.length === 0
    ? ok('jwks', uses.map((use, i) => `${use}: ${counts[i]}`).join(', '))
    : fail(
        'jwks',
        `the key set has no key for ${missing.join(', ')}`,
        'Do not let a proxy cache /.well-known/jwks.json for more than 60 s.',
      )
}

/** Reads the newest entry, then a checkpoint, and checks that the checkpoint signs the entry. */
async function checkLog({ issuer, clock }: RemoteDeps): Promise<Check> {
  const source = { issuer, keys: await fetchRegistryKeys(issuer, 'log') }
  const { entry } = await newestEntry(clock, issuer)
  const checkpoint = await readCheckpoint(source)
  if (!(await isIncluded(source, entry, checkpoint))) return fail('log', `the checkpoint does not sign entry ${entry.seq}`, LOG_TODO)
  const age = clock.now() - entry.time
  if (age < -60)
    return fail('log', `the newest entry is ${duration(age)} in the future`, 'Check the clocks; see "Clocks" in docs/OPERATIONS.md.')
  return ok('log', `${checkpoint.size} entries, signed; the newest is ${duration(Math.max(age, 0))} old`)
}

const COSIGNER_TODO = 'See "Cosignatures" in docs/OPERATIONS.md: the log of the registry names the answer of the witness.'

async function checkCosignatures({ issuer, cosigners }: RemoteDeps): Promise<Check> {
  if (cosigners.length === 0) return ok('cosignatures', 'not checked: name the witnesses that you trust with --cosigner')
  const source = { issuer, keys: await fetchRegistryKeys(issuer, 'log') }
  const cosigned = await readCosignedCheckpoint(source, cosigners)
  const newest = await readCheckpoint(source)
  if (!(await isConsistent(source, cosigned, newest))) return fail('cosignatures', 'the witnesses were shown another history', LOG_TODO)
  return ok('cosignatures', `${cosigned.size} of ${newest.size} entries by ${cosigned.cosignatures.map(({ name }) => name).join(', ')}`)
}

const Page = z.object({ entries: z.array(Entry), asOf: z.string() })

async function entriesFrom(clock: Clock, issuer: string, from: number, limit: number): Promise<z.infer<typeof Page>> {
  return Page.parse((await fetchJson(clock, `${issuer}/log/entries?from=${from}&limit=${limit}`)).value)
}

async function newestEntry(clock: Clock, issuer: string): Promise<{ readonly entry: Entry; readonly epoch: string }> {
  const { asOf } = await entriesFrom(clock, issuer, 0, 0)
  const { epoch, seq } = parsePosition(asOf as Parameters<typeof parsePosition>[0])
  const [entry] = (await entriesFrom(clock, issuer, seq, 1)).entries
  if (entry === undefined) throw new Error(`the registry does not serve entry ${seq}, which it names as its newest`)
  return { entry, epoch }
}

/** Compares the position that the witness remembers with the log that is served. */
export async function checkWitness(clock: Clock, issuer: string, name: string, witnessed: LogHead): Promise<Check> {
  const restore = 'Stop the registry; see "Backup, mirror, restore" in docs/OPERATIONS.md.'
  const { epoch, entry: newest } = await newestEntry(clock, issuer)
  if (epoch !== witnessed.epoch) return fail('witness', `${name} remembers another epoch of the log than the registry serves`, restore)
  const [entry, next] = (await entriesFrom(clock, issuer, witnessed.seq, 2)).entries
  const hash = entry && base64url(hashLeaf(sha256, canonical(entry)))
  if (hash !== witnessed.hash)
    return fail('witness', `the log lacks entry ${witnessed.seq}, which ${name} remembers: an old copy is served`, restore)
  const lag = next === undefined ? 0 : clock.now() - next.time
  return lag > WITNESS_LAG_SECONDS
    ? warn('witness', `${name} is ${newest.seq - witnessed.seq} entries behind, for ${duration(lag)}`, 'The log of the registry says why.')
    : ok('witness', `${name} remembers entry ${witnessed.seq} of ${newest.seq}`)
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
