// What a recorded history must not show. Judged by intervals on one clock: an answer may count as before an ending only if its request was
// sent before the ending was acknowledged. Pure, so that it can be tried on histories in which a fault is planted.

/**
 * A history: `ended` [{ name, ackedAt }], `issued` [{ jti, on, sentAt, at }], `asked` [{ jti, active, sentAt, at }],
 * `races` [{ what, winners }], `published` [{ version, text }], `granted` [name], `requests` [{ what, ms }], `streams`,
 * `log` [block], `views` [{ instance, entries }] (what instances showed of the log), `texts` (tokens by their jti), `found` (what was there at the end), `limitMs`.
 */
export function judge(history) {
  const rules = { endings, once, kept, blocks, streams, fresh, views, times }
  return Object.entries(rules).flatMap(([rule, broken]) => broken(history).map((text) => `${rule}: ${text}`))
}

/** No answer that says "active", and no token, by a request that was sent after the acknowledgement of an ending that it stands on. */
function endings({ ended, issued, asked }) {
  const endedAt = new Map()
  for (const { name, ackedAt } of ended) endedAt.set(name, Math.min(ackedAt, endedAt.get(name) ?? Number.POSITIVE_INFINITY))
  const standing = new Map(issued.map((token) => [token.jti, token.on]))
  const deadSince = (names) => Math.min(...names.map((name) => endedAt.get(name) ?? Number.POSITIVE_INFINITY))
  const faults = []
  for (const { jti, on, sentAt } of issued) {
    const since = deadSince(on)
    if (sentAt > since) faults.push(`token ${jti} was given ${ms(sentAt - since)} after what it stands on had ended`)
  }
  // Whoever was told "ended" knows it: nobody who asks later is told otherwise
  const knownDead = new Map()
  for (const { jti, active, at } of asked) if (!active) knownDead.set(jti, Math.min(at, knownDead.get(jti) ?? Number.POSITIVE_INFINITY))
  for (const { jti, active, sentAt } of asked) {
    if (!active) continue
    const since = deadSince([`token ${jti}`, ...(standing.get(jti) ?? [])])
    if (sentAt > since) faults.push(`token ${jti} was active ${ms(sentAt - since)} after the acknowledgement of its end`)
    else if (sentAt > (knownDead.get(jti) ?? Number.POSITIVE_INFINITY)) faults.push(`token ${jti} was dead, and then active again`)
  }
  return faults
}

/** Of callers who race for one thing one wins. */
function once({ races, published }) {
  const faults = races.filter(({ winners }) => winners > 1).map(({ what, winners }) => `${what} was won by ${winners}`)
  const texts = new Map()
  for (const { version, text } of published) {
    if (texts.has(version) && texts.get(version) !== text) faults.push(`version ${version} of the card was given twice`)
    texts.set(version, text)
  }
  return faults
}

/** Nothing that was acknowledged is missing at the end. */
function kept({ ended, issued, published, granted, log, found }) {
  const faults = found.silent.map((why) => `what is there cannot be asked any more: ${why}`)
  const newest = Math.max(0, ...published.map(({ version }) => version))
  if (found.version < newest) faults.push(`version ${newest} of the card is missing: it is at ${found.version}`)
  for (const { jti } of issued) if (!found.records.has(jti)) faults.push(`token ${jti} has no record`)
  for (const { jti } of ended.filter((one) => one.jti)) if (found.active.has(jti)) faults.push(`token ${jti}, which had ended, is active`)
  const gone = new Set(ended.map(({ name }) => name))
  for (const name of granted) if (!found.introductions.has(name) && !gone.has(name)) faults.push(`${name} is missing`)
  for (const name of found.introductions) if (gone.has(name)) faults.push(`${name}, which had ended, stands`)
  const inLog = new Set(log.flatMap(({ entries }) => entries.flatMap(({ ends }) => ends.map(({ handle }) => handle))))
  for (const { handle } of ended.filter((one) => one.handle)) if (!inLog.has(handle)) faults.push(`the end of ${handle} is not in the log`)
  return faults
}

/** The log: numbers without holes, every entry once. */
function blocks({ log }) {
  const faults = []
  const ids = new Map()
  let next = 0
  for (const [i, { n, first, entries }] of log.entries()) {
    if (n !== i) faults.push(`block ${n} stands where block ${i} should`)
    if (first !== next) faults.push(`block ${n} begins with entry ${first}, not ${next}`)
    for (const [j, { id, seq }] of entries.entries()) {
      if (seq !== first + j) faults.push(`entry ${id} has number ${seq}, not ${first + j}`)
      if (ids.has(id)) faults.push(`entry ${id} stands in block ${ids.get(id)} and in block ${n}`)
      ids.set(id, n)
    }
    next = first + entries.length
  }
  return faults
}

/** Each subscriber was told the log from where it began, without a gap, twice or otherwise. */
function streams({ streams, log }) {
  const entries = log.flatMap((block) => block.entries)
  const faults = []
  for (const { name, from, events, resets } of streams) {
    for (const reset of resets) faults.push(`subscriber ${name} was told to begin anew: ${reset}`)
    let at = from
    for (const { prev, last, ended } of events) {
      if (prev !== at) faults.push(`subscriber ${name} was told of ${prev + 1}…${last} after ${at}`)
      const should = entries.slice(prev + 1, last + 1).flatMap(({ ends }) => ends.map(({ handle }) => handle))
      if (last >= entries.length || should.join() !== ended.join())
        faults.push(`subscriber ${name} was told otherwise of ${prev + 1}…${last}`)
      at = last
    }
    if (at !== entries.length - 1) faults.push(`subscriber ${name} ends at ${at}, the log at ${entries.length - 1}`)
  }
  return faults
}

/** Whoever asks "is that all?" after the acknowledgement of an ending has been told of it when that is answered. */
function fresh({ ended, streams, log }) {
  const entries = log.flatMap((block) => block.entries)
  // A handle may be ended twice, by an intent that is settled late as well: it has ended since the first.
  const seqOf = new Map(entries.toReversed().flatMap(({ seq, ends }) => ends.map(({ handle }) => [handle, seq])))
  const known = ended.filter(({ handle }) => seqOf.has(handle)).map(({ handle, ackedAt }) => ({ handle, ackedAt, seq: seqOf.get(handle) }))
  return streams.flatMap(({ name, syncs }) =>
    syncs.flatMap(({ sentAt, at }) =>
      known
        .filter(({ ackedAt, seq }) => ackedAt < sentAt && seq > at)
        .map(
          ({ handle, ackedAt }) =>
            `subscriber ${name} was told that all is said, ${ms(sentAt - ackedAt)} after ${handle} had ended, and not of it`,
        ),
    ),
  )
}

/** What an instance once showed of the log stands as it was shown. */
function views({ views, log }) {
  const at = new Map(log.flatMap(({ entries }) => entries.map((entry) => [entry.seq, entry.id])))
  return views.flatMap(({ instance, entries }) =>
    entries
      .filter(({ seq, id }) => at.get(seq) !== id)
      .map(({ seq, id }) => `instance ${instance} showed entry ${id} as ${seq}, which is not in the log`),
  )
}

function times({ requests, limitMs }) {
  return requests.filter((one) => one.ms > limitMs).map((one) => `${one.what} took ${ms(one.ms)}`)
}

const ms = (value) => `${value.toFixed(1)} ms`
