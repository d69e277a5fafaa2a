import { expect, test } from 'vitest'
import { openMongo } from '../../src/storage/mongo/open.js'
import { setClock } from '../set-clock.js'

const open = (url: string) => openMongo({ url, clock: setClock(), instance: 'one', warn: () => undefined })

test('a server that is away is a refusal that names it, and no credentials', async () => {
  const refused = await open('mongodb://olga:secret@127.0.0.1:9/credence').catch((error: unknown) => error)
  expect(refused).toMatchObject({ reason: 'unavailable', message: expect.stringContaining('127.0.0.1:9') })
  expect(String(refused)).not.toContain('secret')
})

test.each([
  'w=1',
  'journal=false',
  'readPreference=secondary',
  'readConcernLevel=local',
  'retryWrites=false',
])('a URL that asks for %s is refused before anything is asked', async (weaker) => {
  await expect(open(`mongodb://127.0.0.1:9,127.0.0.1:10/credence?${weaker}`)).rejects.toMatchObject({ reason: 'bad_input' })
})
