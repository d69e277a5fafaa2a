import { z } from 'zod'
import { RATES } from '../../http/limits/rate-limit.js'
import { SOCKET_LIMITS } from '../../http/limits/socket-limit.js'

/** The largest value of a limit. It counts as no limit. */
export const NO_LIMIT = 1_000_000

const Limit = z.int().min(1).max(NO_LIMIT).nullish()

/** Values for some of the limits of an organisation; null and absent are the same. */
export const PartialLimits = z.strictObject({
  /** Of one client, on all live instances together. */
  tokenRequestsPerSecond: Limit,
  /** Creations (docs/OPERATIONS.md lists them) of one client, on all live instances together. */
  creationsPerSecond: Limit,
  /** Of one client. */
  openTasks: Limit,
  /** Standing introductions from one agent to another. */
  introductionsPerPair: Limit,
  /** Standing introductions to one agent of the organisation. */
  introductionsPerTarget: Limit,
  /** Agents of the organisation that are neither suspended nor revoked. */
  agents: Limit,
  /** Open WebSockets of one client on one instance. */
  sockets: Limit,
})
export type PartialLimits = z.infer<typeof PartialLimits>

type LimitName = keyof PartialLimits
export const LIMIT_NAMES: readonly LimitName[] = PartialLimits.keyof().options
export type Limits = Readonly<Record<LimitName, number>>

/** The `limits` of the configuration. */
export const ConfiguredLimits = z.union([z.enum(['on', 'off']), PartialLimits])
export type ConfiguredLimits = z.infer<typeof ConfiguredLimits>

const DEFAULTS: Limits = {
  tokenRequestsPerSecond: RATES.tokenRequests.perSecond,
  creationsPerSecond: RATES.creationsOfClient.perSecond,
  openTasks: 1000,
  introductionsPerPair: 20,
  introductionsPerTarget: 1000,
  agents: 10_000,
  sockets: SOCKET_LIMITS.ofClient,
}

/** The maximum that the configuration gives every organisation. Sockets stay limited with `off`. */
export function configuredMaximum(configured: ConfiguredLimits): Limits {
  if (configured === 'off') return eachLimit((name) => (name === 'sockets' ? DEFAULTS.sockets : NO_LIMIT))
  return eachLimit((name) => (configured === 'on' ? undefined : configured[name]) ?? DEFAULTS[name])
}

/** The lower value of each limit. */
export const narrowed = (limits: Limits, by: PartialLimits): Limits => eachLimit((name) => Math.min(limits[name], by[name] ?? NO_LIMIT))

const eachLimit = (of: (name: LimitName) => number): Limits => ({
  tokenRequestsPerSecond: of('tokenRequestsPerSecond'),
  creationsPerSecond: of('creationsPerSecond'),
  openTasks: of('openTasks'),
  introductionsPerPair: of('introductionsPerPair'),
  introductionsPerTarget: of('introductionsPerTarget'),
  agents: of('agents'),
  sockets: of('sockets'),
})
