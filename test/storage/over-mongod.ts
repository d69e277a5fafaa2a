import { afterAll, beforeAll, describe, test } from 'vitest'
import { HOW } from './find-mongod.mjs'
import { hasMongod, type Mongod, startMongod } from './open-mongo.js'

/** Tests that need a server: one for all of the file. Where there is none, one test says so instead. */
export function overMongod(tests: (mongod: () => Mongod) => void): void {
  if (!hasMongod) {
    test.skip(`NOT RUN over MongoDB: ${HOW}`)
    return
  }
  // They run by the machine's clock: on a busy one an answer may take over 250 ms, twice, which is a 503
  describe('over MongoDB', { retry: 1 }, () => {
    let mongod: Mongod
    beforeAll(async () => {
      mongod = await startMongod()
    }, 60_000)
    afterAll(() => mongod[Symbol.asyncDispose]())
    tests(() => mongod)
  })
}
