import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { writeAtomicFile } from '../../../src/lib/io/atomic-file.js'
import { systemRandom } from '../../../src/lib/random.js'
import { newHandle } from '../../../src/protocol/handles.js'
import { witnessFile } from '../../../src/trust-log/witness/file.js'
import { tempFolder } from '../../storage/open-store.js'

const [epoch, another] = [newHandle(systemRandom, 'epo'), newHandle(systemRandom, 'epo')]
const hash = 'A'.repeat(43)

test('of instances that raise one file at once none fails, it can be read at any moment, and ends with the last', async () => {
  await using folder = await tempFolder()
  const file = join(folder.path, 'witness.json')
  const raise = async (from: number) => {
    const witness = witnessFile(file)
    for (let seq = from; seq <= 100; seq++) {
      await witness.write({ epoch, seq, hash })
      expect(await witness.read()).toMatchObject({ epoch })
    }
  }
  await Promise.all([1, 2, 3].map(raise))
  expect(await witnessFile(file).read()).toEqual({ epoch, seq: 100, hash })
  expect(await readdir(folder.path)).toEqual(['witness.json'])
})

test('what is behind in the same epoch does not lower it; another epoch takes its place', async () => {
  await using folder = await tempFolder()
  const witness = witnessFile(join(folder.path, 'witness.json'))
  await witness.write({ epoch, seq: 7, hash })
  await witness.write({ epoch, seq: 6, hash })
  expect(await witness.read()).toEqual({ epoch, seq: 7, hash })
  await witness.write({ epoch: another, seq: 1, hash })
  expect(await witness.read()).toEqual({ epoch: another, seq: 1, hash })
})

test('what is no witness is not written over', async () => {
  await using folder = await tempFolder()
  const file = join(folder.path, 'passwords.txt')
  await writeFile(file, 'secret')
  await expect(witnessFile(file).write({ epoch, seq: 7, hash })).rejects.toMatchObject({ reason: 'unavailable' })
  expect(await readFile(file, 'utf8')).toBe('secret')
})

test('what could not be put into its place is removed', async () => {
  await using folder = await tempFolder()
  await mkdir(join(folder.path, 'place', 'taken'), { recursive: true })
  await expect(writeAtomicFile(join(folder.path, 'place'), {})).rejects.toThrow()
  expect(await readdir(folder.path)).toEqual(['place'])
})
