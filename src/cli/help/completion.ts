import { Argument, type Command } from 'commander'
import { printLines } from '../output.js'

/** `credence completion`. The script is made of the command tree, so it never names a command or option that does not exist. */
export function completionCommand(program: Command): void {
  program
    .command('completion')
    .description('print a script that completes commands and options in a shell')
    .addArgument(new Argument('<shell>', 'shell').choices(['bash', 'zsh']))
    .action((shell: 'bash' | 'zsh') => printLines(...completionScript(program, shell)))
}

export function completionScript(program: Command, shell: 'bash' | 'zsh'): readonly string[] {
  const cases = commandsIn(program, '').map(({ path, words }) => `    ${quoted(path)}) candidates=${quoted(words.join(' '))} ;;`)
  const choices = commandsIn(program, '').flatMap(({ path, choices }) =>
    Object.entries(choices).map(([flag, values]) => `    ${quoted(`${path} ${flag}`)}) candidates=${quoted(values.join(' '))} ;;`),
  )
  return [
    ...(shell === 'zsh' ? ['#compdef credence', 'autoload -U +X bashcompinit && bashcompinit'] : []),
    '_credence() {',
    // The names are none that zsh uses. Words that are not a command, such as options and arguments, do not change the path
    `  local at= candidates= word i current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}"`,
    '  for ((i = 1; i < COMP_CWORD; i++)); do',
    `    word="\${COMP_WORDS[i]}"`,
    `    case "$at $word" in ${commandsIn(program, '')
      .filter(({ path }) => path !== '')
      .map(({ path }) => quoted(path))
      .join('|')}) at="$at $word" ;; esac`,
    '  done',
    '  case "$at" in',
    ...cases,
    '  esac',
    '  case "$at $previous" in',
    ...choices,
    '  esac',
    '  COMPREPLY=($(compgen -W "$candidates" -- "$current"))',
    '}',
    'complete -o default -F _credence credence',
  ]
}

interface Completed {
  /** ` agent list`, with a space before each word. */
  readonly path: string
  readonly words: readonly string[]
  /** The values of options that have few. */
  readonly choices: Readonly<Record<string, readonly string[]>>
}

function commandsIn(command: Command, path: string): readonly Completed[] {
  const names = command.commands.flatMap((one) => [one.name(), ...one.aliases()])
  const options = command.options.map(({ long }) => long ?? '').filter((long) => long !== '')
  const withChoices = command.options.filter(({ long, argChoices }) => long && argChoices)
  const values = command.registeredArguments.flatMap(({ argChoices }) => argChoices ?? [])
  const own: Completed = {
    path,
    words: [...names, ...values, ...options, '--help'],
    choices: Object.fromEntries(withChoices.map(({ long, argChoices }) => [long, argChoices ?? []])),
  }
  return [own, ...command.commands.flatMap((one) => [one.name(), ...one.aliases()].flatMap((name) => commandsIn(one, `${path} ${name}`)))]
}

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`
