import { expect, test } from 'vitest'
import { newJwksCache } from '../../../src/credentials/jose/jwks-cache.js'
import { setClock } from '../../set-clock.js'

const key = (kid: string) => ({ jwk: { kid } })
/** A source that answers when it is told to. */
const aSource = () => {
  const asked: ((kids: readonly string[] | Error) => void)[] = []
  const read = () =>
    new Promise<{ jwk: { kid: string } }[]>((resolve, reject) => {
      asked.push((answer) => (answer instanceof Error ? reject(answer) : resolve(answer.map(key))))
    })
  return { asked, read }
}

test('keys are read once for all who wait, and again for an unknown `kid` after a while', async () => {
  const clock = setClock()
  const { asked, read } = aSource()
  const { keysFor } = newJwksCache({ read, clock, rereadMs: 1000 })
  expect(await keysFor(undefined)).toEqual([])
  const both = Promise.all([keysFor('a'), keysFor('b')])
  asked[0]?.(['a'])
  expect(await both).toEqual([[key('a')], []])
  expect(await keysFor('c')).toEqual([])
  expect(asked).toHaveLength(1)
  clock.advance(1)
  const later = keysFor('c')
  asked[1]?.(['a', 'c'])
  expect([await later, await keysFor('a')]).toEqual([[key('c')], [key('a')]])
  expect(asked).toHaveLength(2)
})

test('a renewal counts from when it was asked for: what was being read then is read again', async () => {
  const { asked, read } = aSource()
  const { keysFor, renew } = newJwksCache({ read, clock: setClock(), rereadMs: 1000 })
  const waiting = keysFor('new')
  renew()
  asked[0]?.(['old'])
  await expect.poll(() => asked.length).toBe(2)
  asked[1]?.(['old', 'new'])
  expect(await waiting).toEqual([key('new')])
})

test('a failure is told, and asked again by who comes next', async () => {
  const { asked, read } = aSource()
  const { keysFor } = newJwksCache({ read, clock: setClock(), rereadMs: 1000 })
  const failing = keysFor('a')
  asked[0]?.(new Error('nobody there'))
  await expect(failing).rejects.toThrow('nobody there')
  const next = keysFor('a')
  asked[1]?.(['a'])
  expect(await next).toEqual([key('a')])
})
