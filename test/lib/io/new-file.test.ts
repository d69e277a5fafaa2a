import { existsSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { incompleteName, publishNewFile, requireNewFile } from '../../../src/lib/io/new-file.js'
import { tempFolder } from '../../storage/open-store.js'

test('a file that was created after the first look is not overwritten, nor is a dangling link followed', async () => {
  await using folder = await tempFolder()
  const [file, linked] = [join(folder.path, 'backup.db'), join(folder.path, 'linked.db')]
  const incomplete = incompleteName(file)
  writeFileSync(incomplete, 'new', { flag: 'wx' })
  requireNewFile(file)
  writeFileSync(file, 'foreign')
  symlinkSync(join(folder.path, 'elsewhere'), linked)
  for (const taken of [file, linked])
    await expect(publishNewFile(incomplete, taken)).rejects.toMatchObject({ reason: 'conflict', message: expect.stringContaining(taken) })
  expect(() => requireNewFile(file)).toThrow('already exists')
  expect([readFileSync(file, 'utf8'), existsSync(join(folder.path, 'elsewhere'))]).toEqual(['foreign', false])
})

test('of twenty that publish one name at once, one succeeds, and its content is whole', async () => {
  await using folder = await tempFolder()
  const file = join(folder.path, 'backup.db')
  const publish = async (text: string) => {
    const incomplete = incompleteName(file)
    writeFileSync(incomplete, text, { flag: 'wx' })
    return publishNewFile(incomplete, file).then(
      () => text,
      () => undefined,
    )
  }
  const published = (await Promise.all(Array.from({ length: 20 }, (_, i) => publish(`copy ${i}`)))).filter((text) => text !== undefined)
  expect(published).toEqual([readFileSync(file, 'utf8')])
  const names = readdirSync(folder.path).filter((name) => name !== 'backup.db')
  expect([new Set(names).size, names.every((name) => /^backup\.db\.[\w-]{22}\.partial$/.test(name))]).toEqual([20, true])
})
