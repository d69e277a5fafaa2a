import { spawnSync } from 'node:child_process'
import { resolve } from 'node:path'
import { expect, test } from 'vitest'

// In a process of its own: what is tested is whether it ends.
const CLOCK = resolve(import.meta.dirname, '../../dist/lib/clock.js')
const run = (name: string) =>
  spawnSync(
    process.execPath,
    [
      '--input-type=module',
      '-e',
      `const { ${name}: clock } = await import(${JSON.stringify(CLOCK)}); await clock.after(200); console.log('waited')`,
    ],
    { encoding: 'utf8' },
  ).stdout

test('who waits by a client’s clock is waited for; a server’s loops keep no process alive', () => {
  expect(run('waitingClock')).toBe('waited\n')
  expect(run('systemClock')).toBe('')
})
