import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const CHILD = new URL('./child.mjs', import.meta.url).href
const isRunning = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

test('a child ends when its test process is killed', async () => {
  const script = `
    import { spawnNode } from '${CHILD}'
    const child = spawnNode(['-e', 'setInterval(() => {}, 1000); console.log(1)'], { stdio: ['ignore', 'pipe', 'inherit'] })
    child.stdout.once('data', () => console.log(child.pid))`
  const parent = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  const pid = Number(String((await once(parent.stdout, 'data'))[0]))
  expect(isRunning(pid)).toBe(true)
  parent.kill('SIGKILL')
  await expect.poll(() => isRunning(pid)).toBe(false)
})

test('tests start Node programs with spawnNode', () => {
  const files = readdirSync(import.meta.dirname, { recursive: true, encoding: 'utf8' }).filter((file) => /\.(ts|mjs)$/.test(file))
  const textOf = (file: string) => readFileSync(join(import.meta.dirname, file), 'utf8')
  expect(files.filter((file) => textOf(file).includes('spawnNode(')).length).toBeGreaterThan(8)
  const direct = files.filter((file) => /\b(spawn|fork)\(process\.execPath/.test(textOf(file)))
  expect(direct.sort()).toEqual(['child.mjs', 'child.test.ts'])
})
