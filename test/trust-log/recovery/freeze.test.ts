import { expect, test } from 'vitest'
import { silentLog } from '../../../src/lib/log.js'
import { systemRandom } from '../../../src/lib/random.js'
import { freezeEntryOf, freezeLog, resumeLog } from '../../../src/trust-log/recovery/freeze.js'
import { restoreLog } from '../../../src/trust-log/recovery/restore.js'
import { aHandle, end, noRecords, openLogs, write } from '../open-logs.js'

async function frozenLog() {
  const logs = await openLogs()
  const log = await logs.open({ crashes: true })
  const handle = aHandle('int')
  await write(log)
  const { epoch } = log
  await log.close()
  const deps = { port: logs.storage.log, clock: logs.clock, random: systemRandom }
  const freezeEntry = await freezeLog(deps)
  return { logs, deps, freezeEntry, epoch, handle }
}

test('a frozen log is not served, and freezing it again returns the first entry', async () => {
  const { logs, deps, freezeEntry } = await frozenLog()
  await using _ = logs
  await expect(logs.open()).rejects.toThrow(`entry ${freezeEntry.seq} freezes the log of this store`)
  expect(await freezeLog(deps)).toEqual(freezeEntry)
  expect(freezeEntryOf(await deps.port.head())).toEqual(freezeEntry)
})

test('a resumed log is served in the same epoch, and handles that were not revoked remain valid', async () => {
  const { logs, deps, epoch, handle, freezeEntry } = await frozenLog()
  await using _ = logs
  const resumeEntry = await resumeLog(deps)
  expect(await resumeLog(deps)).toEqual(resumeEntry)
  expect(resumeEntry.seq).toBe(freezeEntry.seq + 1)
  const log = await logs.open()
  expect([log.epoch, log.ended.has(handle)]).toEqual([epoch, false])
  await end(log, handle)
  expect(log.ended.has(handle)).toBe(true)
  await expect(resumeLog(deps)).rejects.toThrow('the log cannot resume')
})

test('a restore of a frozen log begins another epoch, which ends the frozen one', async () => {
  const { logs, deps, epoch } = await frozenLog()
  await using _ = logs
  const witness = { name: 'none', emptyText: 'the witness has no head', read: async () => undefined, write: async () => undefined }
  const restored = await restoreLog({ ...deps, witness, mirror: [], ...noRecords, log: silentLog })
  const log = await logs.open()
  expect(log.epoch).toBe(restored.epoch)
  expect(log.ended.has(epoch)).toBe(true)
})

test('a freeze and a restore are refused while another process writes to the log', async () => {
  await using logs = await openLogs()
  const log = await logs.open()
  const { log: port } = logs.storage
  const append: typeof port.append = async (appending) => {
    await end(log, aHandle())
    return port.append(appending)
  }
  const deps = { port: { ...port, append }, clock: logs.clock, random: systemRandom }
  await expect(freezeLog(deps)).rejects.toMatchObject({ reason: 'unavailable' })
  const witness = { name: 'none', emptyText: 'the witness has no head', read: async () => undefined, write: async () => undefined }
  await expect(restoreLog({ ...deps, witness, mirror: [], ...noRecords, log: silentLog })).rejects.toMatchObject({ reason: 'unavailable' })
  const types = (await port.read(0, 100)).flatMap(({ entries }) => entries.map(({ type }) => type))
  expect(types).toEqual(['epoch.started', 'token.revoked', 'token.revoked'])
})
