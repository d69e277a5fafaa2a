import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { describeError, errorLines } from '../../src/cli/errors.js'
import { Refusal } from '../../src/errors.js'
import { tempFolder } from '../storage/open-store.js'
import { runCommand } from './command-line.js'

test('an error shows the first line of what is behind it, and at most 300 characters', () => {
  const linesOf = (cause: unknown) => errorLines(describeError(new Refusal('unavailable', 'the store is not reachable', { cause })))
  expect(linesOf(new Error('connection 3 to 127.0.0.1:27017 timed out\nat a stack'))).toEqual([
    'unavailable: the store is not reachable: connection 3 to 127.0.0.1:27017 timed out',
  ])
  expect(linesOf(new Error('x'.repeat(1000)))[0]).toHaveLength('unavailable: the store is not reachable: '.length + 300)
  expect(linesOf('no error')).toEqual(['unavailable: the store is not reachable'])
  expect(linesOf(undefined)).toEqual(['unavailable: the store is not reachable'])
})

test('a file where a directory is needed is one sentence with its path', async () => {
  await using folder = await tempFolder()
  const file = join(folder.path, 'file')
  writeFileSync(file, '')
  for (const args of [
    ['serve', '--dev', '--data', file],
    ['serve', '--dev', '--data', join(file, 'data')],
    ['serve', '--dev', '--data', join(folder.path, 'data'), '--witness', join(file, 'witness.json')],
    ['profiles', '--home', file],
    ['whoami', '--home', file],
    ['login', '--registry', 'http://127.0.0.1:1', '--code', 'inv_x', '--home', file],
    ['admin', 'check', '--data', file],
    ['admin', 'backup', join(file, 'backup.db'), '--data', join(folder.path, 'data')],
  ]) {
    const { code, out, err } = await runCommand([
      ...args,
      ...(args[0] === 'serve' ? ['--port', '0', '--admin-port', '0', '--log-level', 'silent'] : []),
    ])
    expect([code, err.trimEnd().split('\n').length], `${args.join(' ')}: ${out}${err}`).toEqual([1, 1])
    expect(err, args.join(' ')).toMatch(/^unavailable: \S+: a directory is needed, but a file is there$|does not exist/m)
    expect(err).not.toMatch(/ENOTDIR|EEXIST/)
  }
})
