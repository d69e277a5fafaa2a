// Judges a recorded history by intervals on one clock: a response may count as before a revocation only if its request was sent before the
// revocation was acknowledged, and it arrived at most MAX_LATE_MS after that. Pure functions, so that test/prove/mongo-judge.test.ts can try them on histories with planted faults.

/**
 * A history: `revoked` [{ name, ackedAt }], `issued` [{ jti, dependsOn, sentAt, receivedAt }], `introspected` [{ jti, active, sentAt, receivedAt }],
 * `races` [{ what, winners }], `published` [{ version, text }], `granted` [name], `requests` [{ what, ms }], `streams`,
 * `log` [block], `logReads` [{ instance, entries }], `texts` (tokens by their jti), `final` (the state after the run), `limitMs`.
 */
export function judge(history) {
  const rules = { revocations, 'single-use': singleUse, durability, log, feed, freshness, 'log-reads': logReads, latency }
  return Object.entries(rules).flatMap(([rule, check]) => check(history).map((text) => `${rule}: ${text}`))
}

/** A decision is 250 ms old at most when its response leaves. The rest is for a busy machine. */
const MAX_LATE_MS = 1000

/**
 * No request that was sent after a revocation was acknowledged gets "active", or a token that depends on the revoked item; and no such
 * response to an earlier request arrives more than MAX_LATE_MS after the acknowledgement.
 */
function revocations({ revoked, issued, introspected }) {
  const revokedAt = new Map()
  for (const { name, ackedAt } of revoked) revokedAt.set(name, Math.min(ackedAt, revokedAt.get(name) ?? Number.POSITIVE_INFINITY))
  const dependencies = new Map(issued.map((token) => [token.jti, token.dependsOn]))
  const firstRevocation = (names) => Math.min(...names.map((name) => revokedAt.get(name) ?? Number.POSITIVE_INFINITY))
  const faults = []
  const isLate = ({ sentAt, receivedAt }, since) => sentAt > since || receivedAt > since + MAX_LATE_MS
  for (const token of issued) {
    const since = firstRevocation(token.dependsOn)
    if (isLate(token, since))
      faults.push(`token ${token.jti} was issued ${ms(token.receivedAt - since)} after one of its dependencies was revoked`)
  }
  // Once a response said "inactive", no later request may get "active"
  const inactiveSince = new Map()
  for (const { jti, active, receivedAt } of introspected)
    if (!active) inactiveSince.set(jti, Math.min(receivedAt, inactiveSince.get(jti) ?? Number.POSITIVE_INFINITY))
  for (const response of introspected) {
    const { jti, active, sentAt } = response
    if (!active) continue
    const since = firstRevocation([`token ${jti}`, ...(dependencies.get(jti) ?? [])])
    if (isLate(response, since))
      faults.push(`token ${jti} was active ${ms(response.receivedAt - since)} after its revocation was acknowledged`)
    else if (sentAt > (inactiveSince.get(jti) ?? Number.POSITIVE_INFINITY)) faults.push(`token ${jti} was inactive, and then active again`)
  }
  return faults
}

/** Of concurrent callers that use the same thing one succeeds. */
function singleUse({ races, published }) {
  const faults = races.filter(({ winners }) => winners > 1).map(({ what, winners }) => `${what} was accepted ${winners} times`)
  const texts = new Map()
  for (const { version, text } of published) {
    if (texts.has(version) && texts.get(version) !== text) faults.push(`version ${version} of the card was published twice`)
    texts.set(version, text)
  }
  return faults
}

/** Nothing that was acknowledged is missing at the end. */
function durability({ revoked, issued, published, granted, log, final }) {
  const faults = final.errors.map((error) => `the final state cannot be read: ${error}`)
  const newest = Math.max(0, ...published.map(({ version }) => version))
  if (final.version < newest) faults.push(`version ${newest} of the card is missing: the current one is ${final.version}`)
  for (const { jti } of issued) if (!final.records.has(jti)) faults.push(`token ${jti} has no record`)
  for (const { jti } of revoked.filter(({ jti }) => jti)) if (final.active.has(jti)) faults.push(`token ${jti} was revoked and is active`)
  const revokedNames = new Set(revoked.map(({ name }) => name))
  for (const name of granted) if (!final.introductions.has(name) && !revokedNames.has(name)) faults.push(`${name} is missing`)
  for (const name of final.introductions) if (revokedNames.has(name)) faults.push(`${name} was revoked and is granted`)
  const inLog = new Set(log.flatMap(({ entries }) => entries.flatMap(({ ends }) => ends.map(({ handle }) => handle))))
  for (const { handle } of revoked.filter(({ handle }) => handle))
    if (!inLog.has(handle)) faults.push(`the revocation of ${handle} is not in the log`)
    else if (!final.audited.has(handle)) faults.push(`the revocation of ${handle} is in the log, but has no audit row`)
  return faults
}

/** The log has consecutive block numbers and positions, and contains every entry once. */
function log({ log }) {
  const faults = []
  const blockOf = new Map()
  let next = 0
  for (const [i, { n, first, entries }] of log.entries()) {
    if (n !== i) faults.push(`block ${n} follows block ${i - 1}`)
    if (first !== next) faults.push(`block ${n} begins with position ${first}, not ${next}`)
    for (const [j, { id, seq }] of entries.entries()) {
      if (seq !== first + j) faults.push(`entry ${id} has position ${seq}, not ${first + j}`)
      if (blockOf.has(id)) faults.push(`entry ${id} is in block ${blockOf.get(id)} and in block ${n}`)
      blockOf.set(id, n)
    }
    next = first + entries.length
  }
  return faults
}

/** Each subscriber received the log from its first position on, without a gap, a repetition or a difference. */
function feed({ streams, log }) {
  const entries = log.flatMap((block) => block.entries)
  const faults = []
  for (const { name, from, events, resets } of streams) {
    for (const reset of resets) faults.push(`subscriber ${name} had to start again: ${reset}`)
    let position = from
    for (const { prev, last, revoked } of events) {
      if (prev !== position) faults.push(`subscriber ${name} received ${prev + 1}…${last} after ${position}`)
      const expected = entries.slice(prev + 1, last + 1).flatMap(({ ends }) => ends.map(({ handle }) => handle))
      if (last >= entries.length || expected.join() !== revoked.join())
        faults.push(`subscriber ${name} received ${prev + 1}…${last} with handles that differ from those of the log`)
      position = last
    }
    if (position !== entries.length - 1) faults.push(`subscriber ${name} ends at ${position}, the log at ${entries.length - 1}`)
  }
  return faults
}

/** A `synced` message covers every revocation that was acknowledged before the `sync` message was sent. */
function freshness({ revoked, streams, log }) {
  const entries = log.flatMap((block) => block.entries)
  // A handle may be in the log twice, because a pending revocation may be completed late. Its first entry counts
  const seqOf = new Map(entries.toReversed().flatMap(({ seq, ends }) => ends.map(({ handle }) => [handle, seq])))
  const known = revoked
    .filter(({ handle }) => seqOf.has(handle))
    .map(({ handle, ackedAt }) => ({ handle, ackedAt, seq: seqOf.get(handle) }))
  return streams.flatMap(({ name, syncs }) =>
    syncs.flatMap(({ sentAt, position }) =>
      known
        .filter(({ ackedAt, seq }) => ackedAt < sentAt && seq > position)
        .map(
          ({ handle, ackedAt }) =>
            `subscriber ${name} sent sync ${ms(sentAt - ackedAt)} after ${handle} was revoked, and got synced without the revocation`,
        ),
    ),
  )
}

/** Every entry that an instance served is in the log at that position. */
function logReads({ logReads, log }) {
  const idAt = new Map(log.flatMap(({ entries }) => entries.map(({ seq, id }) => [seq, id])))
  return logReads.flatMap(({ instance, entries }) =>
    entries
      .filter(({ seq, id }) => idAt.get(seq) !== id)
      .map(({ seq, id }) => `instance ${instance} served entry ${id} at position ${seq}, which is not in the log`),
  )
}

function latency({ requests, limitMs }) {
  return requests.filter((request) => request.ms > limitMs).map(({ what, ms: duration }) => `${what} took ${ms(duration)}`)
}

const ms = (value) => `${value.toFixed(1)} ms`
