import { expect, test } from 'vitest'
import { silentLog } from '../../../src/lib/log.js'
import { systemRandom } from '../../../src/lib/random.js'
import { restoreLog } from '../../../src/trust-log/recovery/restore.js'
import { resumeLog, sealLog, sealOf } from '../../../src/trust-log/recovery/seal.js'
import { aHandle, begin, end, noRecords, openLogs } from '../open-logs.js'

async function sealed() {
  const logs = await openLogs()
  const log = await logs.open({ mortal: true })
  const handle = aHandle('int')
  await begin(log, [handle])
  const { epoch } = log
  await log.close()
  const deps = { port: logs.storage.log, clock: logs.clock, random: systemRandom }
  const seal = await sealLog({ ...deps, digest: 'of a target' })
  return { logs, deps, seal, epoch, handle }
}

test('a sealed log is not served, and stays as it is; sealed again it has the same seal', async () => {
  const { logs, deps, seal } = await sealed()
  await using _ = logs
  await expect(logs.open()).rejects.toThrow(`entry ${seal.seq} seals the log of this store: it was moved`)
  expect(await sealLog({ ...deps, digest: 'of another' })).toEqual(seal)
  expect(sealOf(await deps.port.head())).toEqual(seal)
})

test('once it goes on it is served in the same epoch, and what lived lives', async () => {
  const { logs, deps, epoch, handle, seal } = await sealed()
  await using _ = logs
  const continued = await resumeLog(deps)
  expect(await resumeLog(deps)).toEqual(continued)
  expect(continued.seq).toBe(seal.seq + 1)
  const log = await logs.open()
  expect([log.epoch, log.ended.has(handle)]).toEqual([epoch, false])
  await end(log, handle)
  expect(log.ended.has(handle)).toBe(true)
  await expect(resumeLog(deps)).rejects.toThrow('no seal at its end')
})

test('a restore of a sealed store begins another epoch: nothing that was issued counts', async () => {
  const { logs, deps, epoch } = await sealed()
  await using _ = logs
  const witness = { name: 'none', read: async () => undefined, write: async () => undefined }
  const restored = await restoreLog({ ...deps, witness, mirror: [], ...noRecords, log: silentLog })
  const log = await logs.open()
  expect(log.epoch).toBe(restored.epoch)
  expect(log.ended.has(epoch)).toBe(true)
})

test('nothing is sealed or restored while somebody else writes', async () => {
  await using logs = await openLogs()
  const log = await logs.open()
  const { log: port } = logs.storage
  const append: typeof port.append = async (block) => {
    await end(log, aHandle())
    return port.append(block)
  }
  const deps = { port: { ...port, append }, clock: logs.clock, random: systemRandom }
  await expect(sealLog({ ...deps, digest: 'of a target' })).rejects.toThrow('somebody else writes into the store')
  const witness = { name: 'none', read: async () => undefined, write: async () => undefined }
  await expect(restoreLog({ ...deps, witness, mirror: [], ...noRecords, log: silentLog })).rejects.toThrow(
    'somebody else writes into the store',
  )
  const types = (await port.read(0, 100)).flatMap(({ entries }) => entries.map(({ type }) => type))
  expect(types).toEqual(['epoch.started', 'token.ended', 'token.ended'])
})
