import { chmod, mkdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { z } from 'zod'
import { privateTextOfFile } from '../../../src/cli/context.js'
import { newProfiles } from '../../../src/cli/profile.js'
import { readAtomicFile } from '../../../src/lib/io/atomic-file.js'
import { createPrivate, requirePrivate } from '../../../src/lib/io/private-file.js'
import { openVerifierStore } from '../../../src/storage/sqlite/verifier-store.js'
import { mirrorFile } from '../../../src/trust-log/recovery/mirror-file.js'
import { tempFolder } from '../../storage/open-store.js'

const modeOf = async (file: string) => ((await stat(file)).mode & 0o777).toString(8)

/** A file with the mode that a restored backup may have. */
async function sharedFile(folder: string, mode: number, name = 'a file', text = ''): Promise<string> {
  const file = join(folder, name)
  await writeFile(file, text)
  await chmod(file, mode)
  return file
}

test.each([0o644, 0o666, 0o640, 0o604, 0o660])('mode %o of an own file becomes 600', async (mode) => {
  await using folder = await tempFolder()
  const file = await sharedFile(folder.path, mode)
  requirePrivate(file)
  expect(await modeOf(file)).toBe('600')
})

test('a shared file of another user is refused with the command that mends it, and stays as it is', async () => {
  await using folder = await tempFolder()
  const file = await sharedFile(folder.path, 0o644)
  const getuid = vi.spyOn(process, 'getuid').mockReturnValue((process.getuid?.() ?? 0) + 1)
  try {
    expect(() => requirePrivate(file)).toThrow(`can be read or changed by other users (mode 644); run as its owner: chmod 600 '${file}'`)
    await chmod(file, 0o600)
    requirePrivate(file)
  } finally {
    getuid.mockRestore()
  }
})

test('a missing file is no fault, and a folder keeps its mode', async () => {
  await using folder = await tempFolder()
  requirePrivate(join(folder.path, 'nowhere'))
  await mkdir(join(folder.path, 'folder'), { mode: 0o755 })
  requirePrivate(join(folder.path, 'folder'))
  expect(await modeOf(join(folder.path, 'folder'))).toBe('755')
})

test('a new file is created with mode 600', async () => {
  await using folder = await tempFolder()
  createPrivate(join(folder.path, 'new'))
  expect(await modeOf(join(folder.path, 'new'))).toBe('600')
})

describe('a file with mode 666 becomes private when it is read:', () => {
  const PROFILE = JSON.stringify({ registry: 'https://a.example', clientId: 'mem_a', privateJwk: {} })
  test.each<[name: string, text: string, read: (file: string, folder: string) => unknown]>([
    ['witness.json', '{}', (file) => readAtomicFile(file, z.object({}), 'witness')],
    ['mirror.jsonl', '', (file) => mirrorFile(file).read()],
    ['default.json', PROFILE, (_, folder) => newProfiles(folder).read('default')],
    ['key.jwk', '{}', (file) => privateTextOfFile(file)],
  ])('%s', async (name, text, read) => {
    await using folder = await tempFolder()
    const file = await sharedFile(folder.path, 0o666, name, text)
    await read(file, folder.path)
    expect(await modeOf(file)).toBe('600')
  })
})

test('a new mirror, and a profile that replaces an interrupted one, are private', async () => {
  await using folder = await tempFolder()
  mirrorFile(join(folder.path, 'mirror.jsonl')).append([])
  expect(await modeOf(join(folder.path, 'mirror.jsonl'))).toBe('600')
  await sharedFile(folder.path, 0o644, 'default.json.new')
  newProfiles(folder.path).write('default', { registry: 'https://a.example', clientId: 'mem_a', privateJwk: {} })
  expect(await modeOf(join(folder.path, 'default.json'))).toBe('600')
})

test('the store of a verifier is private, whether it is new or was shared', async () => {
  await using folder = await tempFolder()
  const file = join(folder.path, 'verifier.db')
  openVerifierStore(file, () => 0).close()
  expect(await modeOf(file)).toBe('600')
  await chmod(file, 0o644)
  openVerifierStore(file, () => 0).close()
  expect(await modeOf(file)).toBe('600')
})
