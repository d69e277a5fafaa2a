import { spawnSync } from 'node:child_process'
import { resolve } from 'node:path'
import { expect, test } from 'vitest'

// Runs in a process of its own, because the test is about whether the process exits
const CLOCK = resolve(import.meta.dirname, '../../dist/lib/clock.js')
const outputWith = (clock: string) =>
  spawnSync(
    process.execPath,
    [
      '--input-type=module',
      '-e',
      `const { ${clock}: clock } = await import(${JSON.stringify(CLOCK)}); await clock.after(200); console.log('waited')`,
    ],
    { encoding: 'utf8' },
  ).stdout

test('a timer of the client clock keeps the process alive, a timer of the system clock does not', () => {
  expect(outputWith('clientClock')).toBe('waited\n')
  expect(outputWith('systemClock')).toBe('')
})
