import { afterAll, beforeAll, describe, test } from 'vitest'
import { HOW } from './find-mongod.mjs'
import { hasMongod, type Mongod, startMongod } from './open-mongo.js'

/** Runs tests that need MongoDB. They share a server. Without one, a skipped test says so instead. */
export function overMongod(tests: (mongod: () => Mongod) => void): void {
  if (!hasMongod) {
    test.skip(`NOT RUN over MongoDB: ${HOW}`)
    return
  }
  // They use the machine's clock: on a busy machine a barrier read may exceed 250 ms twice, which gives a 503
  describe('over MongoDB', { retry: 1 }, () => {
    let mongod: Mongod
    beforeAll(async () => {
      mongod = await startMongod()
    })
    afterAll(() => mongod[Symbol.asyncDispose]())
    tests(() => mongod)
  })
}
