import { expect, test } from 'vitest'
import { newJwksCache } from '../../../src/credentials/jose/jwks-cache.js'
import { setClock } from '../../set-clock.js'

const key = (kid: string) => ({ jwk: { kid } })
/** A source of keys. The test completes each read. */
const aSource = () => {
  const reads: ((kids: readonly string[] | Error) => void)[] = []
  const read = () =>
    new Promise<{ jwk: { kid: string } }[]>((resolve, reject) => {
      reads.push((result) => (result instanceof Error ? reject(result) : resolve(result.map(key))))
    })
  return { reads, read }
}

test('concurrent callers share one read, and an unknown `kid` reads again after rereadMs', async () => {
  const clock = setClock()
  const { reads, read } = aSource()
  const { keysFor } = newJwksCache({ read, clock, rereadMs: 1000 })
  expect(await keysFor(undefined)).toEqual([])
  const both = Promise.all([keysFor('a'), keysFor('b')])
  reads[0]?.(['a'])
  expect(await both).toEqual([[key('a')], []])
  expect(await keysFor('c')).toEqual([])
  expect(reads).toHaveLength(1)
  clock.advance(1)
  const later = keysFor('c')
  reads[1]?.(['a', 'c'])
  expect([await later, await keysFor('a')]).toEqual([[key('c')], [key('a')]])
  expect(reads).toHaveLength(2)
})

test('invalidate during a read makes an unknown `kid` read again', async () => {
  const { reads, read } = aSource()
  const { keysFor, invalidate } = newJwksCache({ read, clock: setClock(), rereadMs: 1000 })
  const waiting = keysFor('new')
  invalidate()
  reads[0]?.(['old'])
  await expect.poll(() => reads.length).toBe(2)
  reads[1]?.(['old', 'new'])
  expect(await waiting).toEqual([key('new')])
})

test('a failed read rejects its callers, and the next caller reads again', async () => {
  const { reads, read } = aSource()
  const { keysFor } = newJwksCache({ read, clock: setClock(), rereadMs: 1000 })
  const failing = keysFor('a')
  reads[0]?.(new Error('connection refused'))
  await expect(failing).rejects.toThrow('connection refused')
  const next = keysFor('a')
  reads[1]?.(['a'])
  expect(await next).toEqual([key('a')])
})

test('a `kid` that is known to be revoked has no key, and the next unknown `kid` reads the keys again at once', async () => {
  const ended = new Set<string>()
  const { reads, read } = aSource()
  const hasEnded = (kid: string) => ended.has(kid)
  const { keysFor } = newJwksCache({ read, clock: setClock(), rereadMs: 1000, hasEnded })
  const first = keysFor('old')
  reads[0]?.(['old'])
  expect(await first).toEqual([key('old')])
  ended.add('old')
  expect(await keysFor('old')).toEqual([])
  expect(reads).toHaveLength(1)
  const next = keysFor('new')
  // The key set may still contain the revoked key
  reads[1]?.(['old', 'new'])
  expect(await next).toEqual([key('new')])
  expect([await keysFor('made-up'), await keysFor('old')]).toEqual([[], []])
  expect(reads).toHaveLength(2)
})

test('an unknown `kid` is refused for now until a read that began after it', async () => {
  const clock = setClock()
  const { reads, read } = aSource()
  const refuseForNow = (): never => {
    throw new Error('later')
  }
  const { keysFor } = newJwksCache({ read, clock, rereadMs: 1000, refuseForNow })
  const known = keysFor('a')
  const joined = keysFor('new')
  reads[0]?.(['a'])
  expect(await known).toEqual([key('a')])
  await expect(joined).rejects.toThrow('later')
  clock.advance(1)
  const later = keysFor('new')
  expect(await keysFor('a')).toEqual([key('a')])
  reads[1]?.(['a', 'new'])
  expect(await later).toEqual([key('new')])
  clock.advance(1)
  const madeUp = keysFor('made-up')
  reads[2]?.(['a', 'new'])
  expect(await madeUp).toEqual([])
})
