import { expect, test } from 'vitest'
import { newRateLimits, requireCreationRate, takeOutgoingRate } from '../../../src/http/limits/rate-limit.js'
import { newRequestQueues } from '../../../src/http/limits/request-queues.js'
import { startRegistry } from '../../registry.js'
import { setClock } from '../../set-clock.js'

const allowed = (take: () => unknown, tries: number): number => Array.from({ length: tries }, take).filter((refusal) => !refusal).length

test('a client may send 200 token requests at once and 50 a second after that, whatever others send', () => {
  const clock = setClock()
  const { tokenRequests } = newRateLimits('on', clock)
  expect(allowed(() => tokenRequests.take('a'), 300)).toBe(200)
  expect(tokenRequests.take('a')?.detail).toEqual({
    retryAfterSeconds: 1,
    rateLimit: { name: 'token-requests', quota: 200, windowSeconds: 4 },
  })
  expect(tokenRequests.take('b')).toBeUndefined()
  clock.advance(1)
  expect(allowed(() => tokenRequests.take('a'), 300)).toBe(50)
  clock.advance(3600)
  expect(allowed(() => tokenRequests.take('a'), 300)).toBe(200)
})

test('a client with a narrower rate gets that one, and a burst of four seconds of it', () => {
  const clock = setClock()
  const { creationsOfClient } = newRateLimits('on', clock)
  expect(allowed(() => creationsOfClient.take('a', 2), 30)).toBe(8)
  clock.advance(1)
  expect(allowed(() => creationsOfClient.take('a', 2), 30)).toBe(2)
})

test('live instances divide a rate, and each of them lets at least one request pass', () => {
  const clock = setClock()
  let instances = 1
  const { tokenRequests } = newRateLimits('on', { ...clock, liveInstances: () => instances })
  expect(allowed(() => tokenRequests.take('a'), 300)).toBe(200)
  instances = 2
  clock.advance(1)
  expect(allowed(() => tokenRequests.take('a'), 300)).toBe(25)
  expect(allowed(() => tokenRequests.take('b'), 300)).toBe(100)
  instances = 1000
  expect(allowed(() => tokenRequests.take('c', 1), 300)).toBe(1)
  expect(tokenRequests.take('c', 1)?.detail.retryAfterSeconds).toBe(1000)
})

test('a refusal names the limit in a unit of time in which it is a whole number', () => {
  const limits = newRateLimits('on', setClock())
  const textOf = (name: keyof typeof limits, perSecond?: number): string | undefined => {
    for (let i = 0; i < 1001; i++) {
      const refusal = limits[name].take('a', perSecond)
      if (refusal) return refusal.message
    }
    return undefined
  }
  expect(textOf('registrationsOfAddress')).toBe('more than 10 requests per hour (registrations), retry in 360 s')
  expect(textOf('registrationsOfGrant')).toContain('more than 20 requests per hour')
  expect(textOf('outgoing')).toContain('more than 1000 requests per hour')
  expect(textOf('refreshesOfDocument')).toContain('more than 1 request per minute')
  expect(textOf('tokenRequests')).toContain('more than 50 requests per second')
  expect(textOf('creationsOfClient', 1 / 100_000)).toContain('more than 1 request per day')
})

test('requests with credentials count against the rate of their address if they fail, also where the refusal is returned', async () => {
  const queues = newRequestQueues(newRateLimits('on', setClock()))
  const arrival = { method: 'POST', path: '/trpc/tasks.list', headers: { authorization: 'DPoP x' }, address: '192.0.2.1' }
  const send = (status: number) => queues.run(arrival, new AbortController().signal, async () => ({ status }))
  for (let i = 0; i < 100; i++) expect((await send(200)).status).toBe(200)
  for (let i = 0; i < 80; i++) expect((await send(401)).status).toBe(401)
  await expect(send(401)).rejects.toMatchObject({ reason: 'rate_limited' })
  expect(queues.refusalFor({ ...arrival, address: '192.0.2.2' })).toBeUndefined()
})

test('with limits off no rate is limited', () => {
  const { tokenRequests } = newRateLimits('off', setClock())
  expect(allowed(() => tokenRequests.take('a'), 1000)).toBe(1000)
})

test('the creations of all agents of an organisation share one rate apart from its members, and a refusal costs the client nothing', () => {
  const limits = newRateLimits('on', setClock())
  const kind = 'agent'
  for (let i = 0; i < 200; i++) requireCreationRate(limits, { id: `agent ${i % 20}`, kind, orgId: 'first' })
  const newcomer = { id: 'newcomer', kind, orgId: 'first' } as const
  for (let i = 0; i < 30; i++) expect(() => requireCreationRate(limits, newcomer)).toThrow('creations-of-organisation')
  expect(() => requireCreationRate(limits, { ...newcomer, orgId: 'second' })).not.toThrow()
  expect(() => requireCreationRate(limits, { id: 'administrator', kind: 'member', orgId: 'first' })).not.toThrow()
})

test('a client that creates tasks faster than its rate gets 429 after a second, and may still end them', async () => {
  await using registry = await startRegistry({ limits: 'on', servers: 1 })
  const agent = await registry.agent()
  const tasks = []
  for (let i = 0; i < 20; i++) tasks.push(await agent.mutate<{ taskId: string }>('tasks.create', { description: 'work' }))
  const sentAt = performance.now()
  const call = agent.mutate('tasks.create', { description: 'work' })
  await expect(call).rejects.toMatchObject({ status: 429, reason: 'rate_limited', retryAfterSeconds: 1 })
  expect(performance.now() - sentAt).toBeGreaterThan(990)
  for (const { taskId } of tasks) await agent.mutate('tasks.end', { taskId })
})

test('outgoing requests are counted for the client that causes them, for the host and for the registry', () => {
  const clock = setClock()
  const limits = newRateLimits('on', clock)
  const take = (host: string, client?: string) =>
    takeOutgoingRate(limits, { host, purpose: 'card', cause: client === undefined ? undefined : { id: client, orgId: `org of ${client}` } })
  expect(allowed(() => take('a.acme.com', 'client'), 30)).toBe(10)
  expect(take('a.acme.com', 'client')?.detail.rateLimit?.name).toBe('outgoing-requests')
  // Callers do not use up the rate of repeated checks to the host, and the other way round
  expect(allowed(() => take('a.acme.com', 'second'), 30)).toBe(10)
  expect(take('a.acme.com', 'third')?.detail.rateLimit?.name).toBe('outgoing-requests-to-host')
  expect(allowed(() => take('a.acme.com'), 30)).toBe(20)
  expect(take('a.acme.com')?.detail.rateLimit?.name).toBe('outgoing-requests-to-host')
  let hosts = 0
  // A refused request counts nowhere
  expect(allowed(() => take('a.acme.com', 'other'), 30)).toBe(0)
  expect(allowed(() => take('b.acme.com', 'other'), 30)).toBe(10)
  expect(allowed(() => take(`${hosts++}.acme.com`), 200)).toBe(30)
  expect(take('c.acme.com')?.detail.rateLimit?.name).toBe('outgoing-requests-of-registry')
  // Checks that the registry repeats do not use up what callers may cause, and the other way round
  expect(allowed(() => take(`${hosts++}.acme.com`, `client ${hosts}`), 200)).toBe(20)
  clock.advance(3600)
  expect(allowed(() => take('a.acme.com'), 30)).toBe(20)
})

test('the agents of one organisation share a rate of outgoing requests, so that others have theirs', () => {
  const clock = setClock()
  const limits = newRateLimits('on', clock)
  let hosts = 0
  const take = (id: string, orgId: string) =>
    takeOutgoingRate(limits, { host: `${hosts++}.acme.com`, purpose: 'card', cause: { id, orgId } })
  const causedInAnHour = (agents: number, orgId: string) => {
    let done = 0
    for (let i = 0; i < 3600; i++) {
      clock.advance(1)
      done += allowed(() => take(`${orgId} ${i % agents}`, orgId), 1)
      if (i === 1800) expect(allowed(() => take('agent', 'second'), 60)).toBe(10)
    }
    return done
  }
  expect(causedInAnHour(3, 'first')).toBeLessThanOrEqual(220)
  expect(take('newcomer', 'first')?.detail.rateLimit?.name).toBe('outgoing-requests-of-organisation')
})

test('requests of strangers to a host do not prevent the proof of its name', () => {
  const limits = newRateLimits('on', setClock())
  const take = (purpose: 'card' | 'namespace', n: number) =>
    takeOutgoingRate(limits, { host: 'acme.com', purpose, cause: { id: `stranger ${n}`, orgId: `org ${n % 5}` } })
  const owner = { host: 'acme.com', purpose: 'namespace', cause: { id: 'owner', orgId: 'owner' } } as const
  let n = 0
  expect(allowed(() => take('card', n++), 30)).toBe(20)
  expect(allowed(() => take('namespace', n++), 20)).toBe(20)
  expect(allowed(() => takeOutgoingRate(limits, owner), 20)).toBe(10)
  expect(takeOutgoingRate(limits, { ...owner, cause: undefined })).toBeUndefined()
})

test('metadata of clients: ten a minute for a stranger, twenty an hour for a host, and half of all is kept for known URLs', () => {
  const limits = newRateLimits('on', setClock())
  const take = (cause: { address: string } | { knownUrl: string; isForKid: boolean }, host: string) =>
    takeOutgoingRate(limits, { host, purpose: 'client-document', cause })
  const known = (knownUrl: string, isForKid = false) => ({ knownUrl, isForKid })
  const nameOf = (refusal: ReturnType<typeof take>) => refusal?.detail.rateLimit?.name
  let n = 0
  expect(allowed(() => take({ address: 'stranger' }, `${n++}.acme.com`), 30)).toBe(10)
  expect(nameOf(take({ address: 'stranger' }, 'a.acme.com'))).toBe('client-documents-of-address')
  expect(allowed(() => take({ address: `${n++}` }, 'victim.acme.com'), 30)).toBe(20)
  expect(nameOf(take({ address: 'next' }, 'victim.acme.com'))).toBe('client-documents-to-host')
  // Strangers keep no admitted client of the host out
  const victim = 'https://victim.acme.com/c.json'
  expect(allowed(() => take(known(victim, true), 'victim.acme.com'), 30)).toBe(1)
  expect(allowed(() => take(known(victim), 'victim.acme.com'), 30)).toBe(20)
  // The keys were counted with their document
  expect(takeOutgoingRate(limits, { host: 'victim.acme.com', purpose: 'client-keys', cause: known(victim) })).toBeUndefined()
  expect(allowed(() => take({ address: `${n++}` }, `${n}.acme.com`), 2000)).toBe(970)
  expect(nameOf(take({ address: 'last' }, 'last.acme.com'))).toBe('client-documents')
  expect(allowed(() => take(known(`https://${n++}.acme.com/c.json`, true), 'x.acme.com'), 2000)).toBe(999)
  expect(allowed(() => take(known(`https://${n++}.acme.com/c.json`), 'x.acme.com'), 2000)).toBe(980)
})
