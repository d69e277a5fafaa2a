import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { writeAtomicFile } from '../../../src/lib/io/atomic-file.js'
import { silentLog } from '../../../src/lib/log.js'
import { systemRandom } from '../../../src/lib/random.js'
import { newHandle } from '../../../src/protocol/handles.js'
import { witnessFile } from '../../../src/trust-log/witness/file.js'
import { updateWitness } from '../../../src/trust-log/witness/witness.js'
import { tempFolder } from '../../storage/open-store.js'
import { aHandle, end, openLogs } from '../open-logs.js'

const [epoch, another] = [newHandle(systemRandom, 'epo'), newHandle(systemRandom, 'epo')]
const hash = 'A'.repeat(43)

test('three instances that write one file at the same time all succeed, and leave the newest head in it', async () => {
  await using folder = await tempFolder()
  const file = join(folder.path, 'witness.json')
  const writeUpTo100 = async (from: number) => {
    const witness = witnessFile(file)
    for (let seq = from; seq <= 100; seq++) {
      await witness.write({ epoch, seq, hash })
      expect(await witness.read()).toMatchObject({ epoch })
    }
  }
  await Promise.all([1, 2, 3].map(writeUpTo100))
  expect(await witnessFile(file).read()).toEqual({ epoch, seq: 100, hash })
  expect(await readdir(folder.path)).toEqual(['witness.json'])
})

test('an older head of the same epoch is not written, and a head of another epoch is', async () => {
  await using folder = await tempFolder()
  const witness = witnessFile(join(folder.path, 'witness.json'))
  await witness.write({ epoch, seq: 7, hash })
  await witness.write({ epoch, seq: 6, hash })
  expect(await witness.read()).toEqual({ epoch, seq: 7, hash })
  await witness.write({ epoch: another, seq: 1, hash })
  expect(await witness.read()).toEqual({ epoch: another, seq: 1, hash })
})

test('an epoch that was superseded is never written again', async () => {
  await using folder = await tempFolder()
  const witness = witnessFile(join(folder.path, 'witness.json'))
  const third = newHandle(systemRandom, 'epo')
  for (const head of [
    { epoch, seq: 7, hash },
    { epoch: another, seq: 5, hash },
    { epoch: third, seq: 6, hash },
  ])
    await witness.write(head)
  for (const older of [epoch, another])
    await expect(witness.write({ epoch: older, seq: 100, hash })).rejects.toThrow('has a newer epoch of the log')
  expect(await witness.read()).toEqual({ epoch: third, seq: 6, hash })
})

test('a file that is not a witness is not overwritten', async () => {
  await using folder = await tempFolder()
  const file = join(folder.path, 'passwords.txt')
  await writeFile(file, 'secret')
  await expect(witnessFile(file).write({ epoch, seq: 7, hash })).rejects.toMatchObject({ reason: 'unavailable' })
  expect(await readFile(file, 'utf8')).toBe('secret')
})

test('a temporary file that cannot be renamed is deleted', async () => {
  await using folder = await tempFolder()
  await mkdir(join(folder.path, 'directory', 'file'), { recursive: true })
  await expect(writeAtomicFile(join(folder.path, 'directory'), {})).rejects.toThrow()
  expect(await readdir(folder.path)).toEqual(['directory'])
})

test('a registry does not replace the head of another history at its witness', async () => {
  await using folder = await tempFolder()
  await using logs = await openLogs()
  const witness = witnessFile(join(folder.path, 'witness.json'))
  const log = await logs.open()
  await end(log, aHandle())
  await witness.write({ epoch: log.epoch, seq: 1, hash })
  await end(log, aHandle())
  const warnings: string[] = []
  const updates = updateWitness(witness, log, {
    clock: logs.clock,
    log: { ...silentLog, error: (_, error) => warnings.push(String(error)) },
  })
  await updates.close()
  expect(await witness.read()).toEqual({ epoch: log.epoch, seq: 1, hash })
  expect(warnings.join()).toContain('entry 1 of the log differs from the one that witness')
})
