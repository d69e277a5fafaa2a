import { expect, test } from 'vitest'
import { withSystemTimeout } from '../../src/lib/timeout.js'

const late = () => new Error('late')

test('work that ends in time gives its result or its error', async () => {
  expect(await withSystemTimeout(10_000, Promise.resolve(1), late)).toBe(1)
  await expect(withSystemTimeout(10_000, Promise.reject(new Error('failed')), late)).rejects.toThrow('failed')
})

test('work that takes longer gives the error of the timeout, and its own later failure is ignored', async () => {
  let fail: (error: Error) => void = () => undefined
  const work = new Promise<never>((_, reject) => {
    fail = reject
  })
  await expect(withSystemTimeout(1, work, late)).rejects.toThrow('late')
  fail(new Error('failed'))
  await expect(work).rejects.toThrow('failed')
})
