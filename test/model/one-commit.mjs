// A model of the trust log (docs/ARCHITECTURE.md, trust log): several instances over one store, with random interleavings, crashes and
// commits whose outcome stays unknown for a while.
//
// A commit is one transaction: the operations of several groups and the log block with their entries. The store accepts a block only under a
// number that is free. An instance builds block n after it has applied block n − 1, and checks the dependencies of every group again then.
//
// Promises that are checked:
// - No introspection that arrives after an ending was acknowledged answers `active` for what depends on the ended handle.
// - None answers `inactive` if nothing that the token depends on had begun to end.
// - A record exists if and only if its entry is in the log; an acknowledged entry is in the log, and no entry is there twice.
// - What is created depends on no handle that ended earlier in the log. Of two changes of one version, one succeeds.
// - A refused group has written nothing.
// - Whatever crashed, every record can be decided on.
// The checks know what was used to issue a token; they never read the token.

/** Faults that can be planted. Each must be found. */
export const FAULTS = [
  'the read barrier is left out',
  'the head of the log is read before the request arrives',
  'a decision ignores the parents of an agent',
  'a token does not list what its subject token depends on',
  'dependencies are not checked again after another instance took the block number',
  'the result of a guard is ignored',
  'a taken block number is overwritten',
  'the block is written outside the transaction',
  'an unknown commit counts as lost',
  'an unknown commit counts as done',
  'the failure of one group is the answer to all',
  'a token is not checked again after a slow commit',
  'a reinstated agent keeps its handle',
  'a change keeps the version',
  'a crash of the writer is acknowledged',
]

/** A decision whose read barrier is older, in ticks, is not answered without another barrier. */
const SLOW = 20

/** Runs one schedule. Returns the promises that were broken, and counts. */
export function runModel(seed, fault) {
  const random = mulberry32(seed)
  const pick = (list) => list[Math.floor(random() * list.length)]
  const isPlanted = (name) => fault === name
  const problems = []
  const counts = { checks: 0, active: 0, inactive: 0, crashes: 0, commits: 0, unknown: 0, retries: 0, refused: 0 }
  const problem = (text) => problems.push(`seed ${seed}: ${text}`)
  let time = 0
  let names = 0
  const now = () => ++time
  const newHandle = (kind) => `${kind}:${++names}`

  // The store. `late` holds transactions whose commit was sent and may still arrive.
  const blocks = []
  const records = new Map()
  let late = []
  for (const id of ['O1', 'O2']) records.set(id, { org: newHandle('org') })
  for (const [id, org, parent] of [
    ['A', 'O1'],
    ['B', 'O1'],
    ['C', 'O2'],
    ['D', 'O2', 'C'],
  ])
    records.set(id, { agt: newHandle('agt'), ver: newHandle('ver'), org, parent })
  records.set('policy', { ver: newHandle('ver') })
  const initial = new Set(records.keys())

  /** The store's side of a commit: all or nothing. `taken` if the block number is in use. */
  function commitNow({ n, groups }) {
    if (blocks[n] !== undefined && !isPlanted('a taken block number is overwritten')) return 'taken'
    if (n > blocks.length) throw new Error('the model built a block too early')
    blocks[n] = groups.flatMap((group) => group.entries)
    if (!isPlanted('the block is written outside the transaction')) for (const group of groups) write(group)
    return 'committed'
  }
  const write = ({ operations }) => {
    for (const operation of operations) records.set(operation.id, { ...records.get(operation.id), ...operation.fields })
  }
  const holds = ({ operations }) => operations.every(({ id, guard }) => guard === undefined || records.get(id)?.ver === guard)

  // What only the checks know: when each ending began and was acknowledged, and which entries were acknowledged or refused.
  const endings = new Map()
  const ending = (handle) => endings.get(handle) ?? endings.set(handle, { began: Infinity, acknowledged: Infinity }).get(handle)
  const began = (handle) => {
    ending(handle).began = Math.min(ending(handle).began, now())
  }
  const acknowledged = (handle) => {
    ending(handle).acknowledged = Math.min(ending(handle).acknowledged, now())
  }
  const answered = []

  const newInstance = () => ({ applied: 0, ended: new Set(), cache: new Map(), waiting: [], isWriting: false })
  const instances = [newInstance(), newInstance(), newInstance()]
  const apply = (instance, to) => {
    for (; instance.applied < Math.min(to, blocks.length); instance.applied++)
      for (const { ends } of blocks[instance.applied]) for (const handle of ends) instance.ended.add(handle)
  }
  const hasEnded = (instance, handles) => handles.some((handle) => instance.ended.has(handle))

  function* readBarrier(instance, headBefore) {
    if (isPlanted('the read barrier is left out')) return
    if (isPlanted('the head of the log is read before the request arrives')) return apply(instance, Math.max(headBefore, instance.applied))
    yield
    const head = blocks.length
    yield
    apply(instance, Math.max(head, instance.applied))
  }

  /** Commits a group with its entries. Returns `done`, `refused` (an ended dependency), `failed` (a guard) or `crashed`. */
  function* commit(instance, group) {
    const request = { ...group, answer: undefined }
    instance.waiting.push(request)
    while (request.answer === undefined) {
      if (!instance.isWriting) {
        instance.isWriting = true
        yield* writeWaiting(instance)
        instance.isWriting = false
      }
      yield
    }
    answered.push(request)
    return request.answer
  }

  function* writeWaiting(instance) {
    let batch = instance.waiting.splice(0)
    let isChecked = false
    while (batch.length > 0) {
      yield
      apply(instance, blocks.length)
      const n = instance.applied
      if (!isChecked || !isPlanted('dependencies are not checked again after another instance took the block number'))
        batch = refuse(batch, 'refused', ({ dependsOn }) => hasEnded(instance, dependsOn))
      isChecked = true
      yield
      if (blocks.length !== n && !isPlanted('a taken block number is overwritten') && random() < 0.5) continue
      if (!isPlanted('the result of a guard is ignored')) batch = refuse(batch, 'failed', (group) => !holds(group))
      const groups = withoutConflicts(instance, batch)
      if (groups.length === 0) continue
      counts.commits++
      const outcome = yield* send(instance, { n, groups })
      if (outcome === 'taken') {
        counts.retries++
        continue
      }
      if (isPlanted('the block is written outside the transaction')) {
        yield
        for (const group of groups) write(group)
      }
      apply(instance, n + 1)
      for (const group of groups) group.answer = 'done'
      batch = batch.filter((group) => !groups.includes(group))
    }
  }
  function refuse(batch, answer, isRefused) {
    const refused = batch.filter(isRefused)
    for (const group of refused) group.answer = answer
    if (refused.length > 0 && isPlanted('the failure of one group is the answer to all')) {
      for (const group of batch) group.answer = answer
      return random() < 0.5 ? [] : batch
    }
    return batch.filter((group) => !refused.includes(group))
  }
  /** Groups of one block: no two write the same record, and none depends on what another ends. */
  function withoutConflicts(_instance, batch) {
    const written = new Set()
    const ended = new Set()
    return batch.filter(({ operations, entries, dependsOn }) => {
      if (operations.some(({ id }) => written.has(id)) || dependsOn.some((handle) => ended.has(handle))) return false
      for (const { id } of operations) written.add(id)
      for (const { ends } of entries) for (const handle of ends) ended.add(handle)
      return true
    })
  }
  /** Sends a transaction. Its answer may be lost, before or after the store commits it. */
  function* send(instance, transaction) {
    const dice = random()
    if (dice > 0.12) return commitNow(transaction)
    counts.unknown++
    if (dice < 0.06) commitNow(transaction)
    else late.push(transaction)
    if (isPlanted('an unknown commit counts as done')) return 'committed'
    if (isPlanted('an unknown commit counts as lost')) {
      apply(instance, blocks.length)
      return 'taken'
    }
    // Sends the same transaction again until one of them, or the block of another instance, has the number.
    for (;;) {
      yield
      const sent = commitNow(transaction)
      if (sent === 'committed') return sent
      const ids = new Set(transaction.groups.flatMap(({ entries }) => entries.map(({ id }) => id)))
      return blocks[transaction.n].every(({ id }) => ids.has(id)) ? 'committed' : 'taken'
    }
  }

  function* read(instance, id) {
    if (instance.cache.has(id) && random() < 0.7) return instance.cache.get(id)
    yield
    instance.cache.set(id, structuredClone(records.get(id)))
    return instance.cache.get(id)
  }
  /** Rule 3: a stale record names an ended version. */
  function* current(instance, id) {
    for (let reads = 0; reads < 4; reads++) {
      const seen = yield* read(instance, id)
      if (seen === undefined || !instance.ended.has(seen.ver)) return seen
      instance.cache.delete(id)
    }
  }
  /** Adds the identities and versions of an agent, its organisation and its parents to `handles`. */
  function* dependenciesOf(instance, id, handles) {
    const agent = yield* current(instance, id)
    if (!agent) return false
    handles.push(agent.agt, agent.ver, (yield* read(instance, agent.org)).org)
    return agent.parent && !isPlanted('a decision ignores the parents of an agent')
      ? yield* dependenciesOf(instance, agent.parent, handles)
      : true
  }
  const identitiesOf = (handles) => handles.filter((handle) => !handle.startsWith('ver:'))

  function* end(instance, handle) {
    began(handle)
    const answer = yield* commit(instance, { operations: [], entries: [{ id: newHandle('ent'), ends: [handle] }], dependsOn: [] })
    if (answer === 'done') acknowledged(handle)
  }
  const decided = []
  function* change(instance, id, headBefore) {
    yield* readBarrier(instance, headBefore)
    const seen = yield* current(instance, id)
    if (!seen) return
    const ver = isPlanted('a change keeps the version') ? seen.ver : newHandle('ver')
    began(seen.ver)
    const answer = yield* commit(instance, {
      operations: [{ id, guard: seen.ver, fields: { ver } }],
      entries: [{ id: newHandle('ent'), ends: isPlanted('a change keeps the version') ? [] : [seen.ver] }],
      dependsOn: [],
    })
    if (answer !== 'done') return
    acknowledged(seen.ver)
    decided.push(seen.ver)
  }
  function* reinstate(instance, id, headBefore) {
    yield* readBarrier(instance, headBefore)
    const agent = yield* current(instance, id)
    if (!agent || !instance.ended.has(agent.agt)) return
    began(agent.ver)
    const fields = { ver: newHandle('ver'), agt: isPlanted('a reinstated agent keeps its handle') ? agent.agt : newHandle('agt') }
    const answer = yield* commit(instance, {
      operations: [{ id, guard: agent.ver, fields }],
      entries: [{ id: newHandle('ent'), ends: [agent.ver] }],
      dependsOn: [],
    })
    if (answer !== 'done') return
    acknowledged(agent.ver)
    if (fields.agt === agent.agt) for (const one of instances) one.ended.delete(agent.agt)
  }
  const introductions = []
  function* introduce(instance, from, to, headBefore) {
    yield* readBarrier(instance, headBefore)
    const handles = []
    if (!(yield* dependenciesOf(instance, from, handles)) || !(yield* dependenciesOf(instance, to, handles))) return
    const policy = yield* current(instance, 'policy')
    if (!policy || hasEnded(instance, [...handles, policy.ver])) return
    const int = newHandle('int')
    const dependsOn = identitiesOf(handles)
    const entry = { id: newHandle('ent'), ends: [] }
    const fields = { int, ver: newHandle('ver'), from, to, dependsOn, entry: entry.id }
    const answer = yield* commit(instance, { operations: [{ id: int, fields }], entries: [entry], dependsOn })
    if (answer === 'done') introductions.push(int)
    else counts.refused++
  }

  const tokens = []
  function* issue(instance, client, { introductionId, subject, headBefore }) {
    let startedAt = now()
    yield* readBarrier(instance, headBefore)
    const dependsOn = []
    if (!(yield* dependenciesOf(instance, client, dependsOn))) return
    if (introductionId) {
      const introduction = yield* current(instance, introductionId)
      if (!introduction) return
      dependsOn.push(introductionId, introduction.ver, ...introduction.dependsOn)
      if (!(yield* dependenciesOf(instance, introduction.to, dependsOn))) return
    }
    const policy = yield* current(instance, 'policy')
    if (!policy) return
    dependsOn.push(policy.ver)
    const used = [...dependsOn]
    if (subject) {
      if (hasEnded(instance, subject.dependsOn)) return
      if (!isPlanted('a token does not list what its subject token depends on')) dependsOn.push(...identitiesOf(subject.dependsOn))
      used.push(...identitiesOf(subject.used))
      if (!(yield* dependenciesOf(instance, subject.client, dependsOn))) return
    }
    const tok = newHandle('tok')
    dependsOn.push(tok)
    used.push(tok)
    const { parent } = records.get(client)
    if (isPlanted('a decision ignores the parents of an agent') && parent) used.push(records.get(parent).agt)
    if (hasEnded(instance, dependsOn)) return
    // The commit of the record, which may be slow.
    for (let waits = random() < 0.3 ? 30 : 1; waits > 0; waits--) yield
    if (now() - startedAt > SLOW && !isPlanted('a token is not checked again after a slow commit')) {
      startedAt = now()
      yield* readBarrier(instance, blocks.length)
      if (hasEnded(instance, dependsOn) || now() - startedAt > SLOW) return
    }
    const latest = Math.max(startedAt, now() - SLOW)
    if (dependsOn.some((handle) => ending(handle).acknowledged < latest))
      problem(`${tok} was issued although something that it depends on had ended`)
    tokens.push({ tok, client, dependsOn, used })
  }
  function* introspect(instance, token, headBefore) {
    const arrivedAt = now()
    yield* readBarrier(instance, headBefore)
    yield
    const isActive = !hasEnded(instance, token.dependsOn)
    const answeredAt = now()
    counts.checks++
    counts[isActive ? 'active' : 'inactive']++
    if (isActive && token.used.some((handle) => ending(handle).acknowledged < arrivedAt))
      problem(`${token.tok} is active although something that it depends on had ended`)
    if (!isActive && !token.used.some((handle) => ending(handle).began < answeredAt))
      problem(`${token.tok} is inactive although nothing that it depends on had begun to end`)
  }

  const agents = ['A', 'B', 'C', 'D']
  function nextRequest(instance) {
    const headBefore = blocks.length
    const dice = random()
    if (dice < 0.22) return issue(instance, pick(agents), { headBefore })
    if (dice < 0.4 && introductions.length > 0) {
      const introductionId = pick(introductions)
      const { from } = records.get(introductionId)
      const own = tokens.filter(({ client }) => client === from)
      return issue(instance, from, { introductionId, subject: own.length > 0 && random() < 0.6 ? pick(own) : undefined, headBefore })
    }
    if (dice < 0.52) return introduce(instance, pick(['A', 'B']), pick(['C', 'D']), headBefore)
    if (dice < 0.78 && tokens.length > 0) return introspect(instance, pick(tokens), headBefore)
    if (dice < 0.82) return end(instance, records.get(pick(agents)).agt)
    if (dice < 0.87) return reinstate(instance, pick(agents), headBefore)
    if (dice < 0.95) return change(instance, pick(['A', 'B', 'C', 'policy', 'policy', ...introductions]), headBefore)
    return tokens.length > 0 ? end(instance, pick(tokens).tok) : undefined
  }

  let running = []
  const step = () => {
    const i = Math.floor(random() * running.length)
    if (running[i].work.next().done) running.splice(i, 1)
  }
  const arrive = () => {
    const transaction = late.shift()
    if (transaction && blocks[transaction.n] === undefined && blocks.length === transaction.n) commitNow(transaction)
  }
  /** An instance loses its memory and all its requests; what it had sent may still arrive. */
  const crash = () => {
    const i = Math.floor(random() * instances.length)
    const crashed = instances[i]
    instances[i] = newInstance()
    counts.crashes++
    if (isPlanted('a crash of the writer is acknowledged'))
      for (const group of crashed.waiting) for (const { ends } of group.entries) for (const handle of ends) acknowledged(handle)
    running = running.filter(({ instance }) => instance !== crashed)
  }
  const start = (instance) => {
    const work = nextRequest(instance)
    if (work) running.push({ instance, work })
  }
  for (let n = 0; n < 260; n++) {
    if (running.length < 6) start(pick(instances))
    for (let k = 0; k < 4 && running.length > 0; k++) step()
    if (random() < 0.05) arrive()
    if (random() < 0.01) crash()
  }
  for (let steps = 0; running.length > 0 && steps < 5000; steps++) step()

  // At rest
  late = []
  const finish = (work) => {
    for (;;) {
      const { done, value } = work.next()
      if (done) return value
    }
  }
  const entries = blocks.flat()
  const ids = new Set(entries.map(({ id }) => id))
  if (ids.size !== entries.length) problem('an entry is in the log twice')
  for (const [id, { entry }] of records) if (!initial.has(id) && !ids.has(entry)) problem(`${id} exists without its entry`)
  const created = new Set([...records.values()].map(({ entry }) => entry))
  for (const group of answered)
    for (const { id } of group.entries) {
      if (group.answer === 'done' && !ids.has(id)) problem(`${id} was acknowledged and is not in the log`)
      if (group.answer !== 'done' && ids.has(id)) problem(`${id} was refused and is in the log`)
      const isCreation = group.operations.some(({ fields }) => fields.entry === id)
      if (isCreation && ids.has(id) && !created.has(id)) problem(`${id} is in the log, its record is missing`)
    }
  const endedBefore = new Set()
  for (const { id, ends } of entries) {
    const record = [...records.values()].find(({ entry }) => entry === id)
    if (record?.dependsOn.some((handle) => endedBefore.has(handle)))
      problem(`${record.int} was created although something that it depends on had ended`)
    for (const handle of ends) endedBefore.add(handle)
  }
  if (new Set(decided).size !== decided.length) problem('two changes of one version succeeded')
  for (const instance of instances) {
    for (const token of tokens) finish(introspect(instance, token, blocks.length))
    finish(readBarrier(instance, blocks.length))
    for (const id of [...agents, 'policy', ...introductions])
      if (!finish(current(instance, id))) problem(`${id} can never be decided on again`)
  }
  return { problems, counts }
}

function mulberry32(seed) {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}
