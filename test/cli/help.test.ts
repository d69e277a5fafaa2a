import { execFile, spawnSync } from 'node:child_process'
import { promisify } from 'node:util'
import type { Command } from 'commander'
import { expect, test } from 'vitest'
import { completionScript } from '../../src/cli/help/completion.js'
import { EXAMPLES } from '../../src/cli/help/examples.js'
import { newProgram, pathOf } from '../../src/cli/program.js'
import { runCommand } from './command-line.js'

const program = newProgram()
const commandsBelow = (command: Command): readonly Command[] => command.commands.flatMap((one) => [one, ...commandsBelow(one)])
const all = commandsBelow(program)
/** The commands that do something: those without others below them, and `audit`. */
const doers = all.filter((command) => command.commands.length === 0 || pathOf(command) === 'audit')

test('every command has a description, and every command that does something has an example', () => {
  expect(all.length).toBeGreaterThan(60)
  expect(all.filter((command) => command.description() === '').map(pathOf)).toEqual([])
  expect(doers.filter((command) => (EXAMPLES[pathOf(command)] ?? []).length === 0).map(pathOf)).toEqual([])
  expect(Object.keys(EXAMPLES).filter((path) => !doers.some((command) => pathOf(command) === path))).toEqual([])
})

/** The words of a line as a shell would split it, without a redirection. */
const wordsOf = (line: string): string[] =>
  [...line.replace(/ [<>] \S+$/, '').matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(
    ([, single, double, plain]) => single ?? double ?? plain ?? '',
  )

test.each(Object.entries(EXAMPLES))('the examples of %s are commands that can be parsed', async (path, lines) => {
  for (const line of lines) {
    expect(line.startsWith(path)).toBe(true)
    let parsed: string | undefined
    const tree = newProgram({ printsUsageErrors: false })
    for (const command of commandsBelow(tree))
      command.action(() => {
        parsed = pathOf(command)
      })
    await tree.parseAsync(wordsOf(line), { from: 'user' })
    expect(parsed).toBe(path)
  }
})

test('help has the examples', async () => {
  const { code, out } = await runCommand(['task', 'end', '--help'])
  expect([code, out]).toEqual([0, expect.stringMatching(/Examples:\n {2}credence task end tsk_/)])
})

/** What bash offers after these words; the last one is not finished. */
async function completionsOf(...words: readonly string[]): Promise<readonly string[]> {
  const script = `${completionScript(program, 'bash').join('\n')}
COMP_WORDS=(credence "$@"); COMP_CWORD=$#; _credence; printf '%s\\n' "\${COMPREPLY[@]}"`
  const { stdout } = await promisify(execFile)('bash', ['-c', script, 'bash', ...words])
  return stdout.split('\n').filter((line) => line !== '')
}

const hasBash = spawnSync('bash', ['-c', 'true']).status === 0
if (!hasBash) console.warn('SKIPPED: there is no bash, so its completion is not tried')

test.skipIf(!hasBash)('the completion is valid bash and completes commands, options and values', async () => {
  const { code, out } = await runCommand(['completion', 'bash'])
  const checked = spawnSync('bash', ['-n'], { input: out })
  expect([code, checked.status, checked.stderr.toString()]).toEqual([0, 0, ''])
  expect(out.trimEnd().split('\n')).toEqual(completionScript(program, 'bash'))
  expect(await completionsOf('intro')).toEqual(['introduction', 'intro'])
  expect(await completionsOf('introduction', 're')).toEqual(['request', 'revoke'])
  expect(await completionsOf('intro', 'revoke', 'int_1', '--d')).toEqual(['--dry-run'])
  expect(await completionsOf('card', 'yank', 'ocr', '--reason', 'comp')).toEqual(['compromised'])
  expect(await completionsOf('--v')).toEqual(['--version'])
  expect(await completionsOf('task', 'list', '--nothing')).toEqual([])
})

test('the completion of zsh sets up the functions of bash, and uses none of the names that zsh reserves', () => {
  const [first, ...rest] = completionScript(program, 'zsh')
  expect(first).toBe('#compdef credence')
  expect(rest.join('\n')).toContain('bashcompinit')
  expect(rest.join('\n')).not.toMatch(/\b(path|words|status|argv)=/)
})

test('another shell is a usage error', async () => {
  expect((await runCommand(['completion', 'fish'])).code).toBe(2)
})
