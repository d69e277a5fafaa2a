// The files of the console, as Vite builds them into a folder.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'
import { consolePages } from '../../../src/oauth/session/console-page.js'
import { reasonOf } from '../../stories/actors.js'

test('a console that was built after the first request is served without a restart', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'console-'))
  try {
    const routes = consolePages({} as never, pathToFileURL(`${folder}/`))
    const files = routes.find(({ path }) => path.endsWith('/:file'))
    const read = async () => files?.endpoint({ params: { file: 'main-1.js' }, headers: {} } as never, {} as never)
    expect(await reasonOf(read())).toBe('not_found')
    await mkdir(join(folder, '.vite'))
    await writeFile(join(folder, '.vite/manifest.json'), JSON.stringify({ 'main.tsx': { file: 'main-1.js', src: 'main.tsx' } }))
    expect(await reasonOf(read())).not.toBe('done')
    await writeFile(join(folder, 'main-1.js'), 'export {}')
    expect(await read()).toMatchObject({ status: 200, body: 'export {}' })
  } finally {
    await rm(folder, { recursive: true })
  }
})
