import { type Command, Option } from 'commander'
import { isRefusal, refuse } from '../../errors.js'
import { MAX_CARD_BYTES } from '../../protocol/cards/card-model.js'
import { wellKnownCard } from '../../registry/cards/import/card-text.js'
import { lintCard } from '../../registry/cards/lint/lint.js'
import { textOfFile } from '../context.js'
import { printErrorLines, printLines } from '../output.js'
import { positionsIn } from './positions.js'
import { type LintedFile, type Purpose, sarifOf } from './sarif.js'

interface LintFlags {
  readonly for: Purpose
  readonly format: 'text' | 'json' | 'sarif'
  readonly dev?: boolean
}

const MAX_FAULTS = 10_000
const FETCH_MS = 10_000

/** `credence card lint`. It needs neither a profile nor a registry. */
export function lintCommand(card: Command): void {
  card
    .command('lint <sources...>')
    .description(
      'check cards (files, URLs of cards, or sites) as a registry does, without their signatures; exit code 1 if a card has an error, 2 if one cannot be read',
    )
    .addOption(new Option('--for <purpose>', 'what must be possible with the cards').choices(['publish', 'import']).default('publish'))
    .addOption(new Option('--format <format>', 'sarif is read by code scanners').choices(['text', 'json', 'sarif']).default('text'))
    .option('--dev', 'accept addresses that are not public, as a registry in development mode does')
    .action(runLint)
}

async function runLint(sources: readonly string[], flags: LintFlags): Promise<void> {
  const files: LintedFile[] = []
  let isUnreadable = false
  for (const source of sources) {
    try {
      const text = await textOf(source)
      files.push({ source, text, ...lintCard(text, { dev: flags.dev === true, maxFaults: MAX_FAULTS }) })
    } catch (error) {
      if (!isRefusal(error)) throw error
      isUnreadable = true
      printErrorLines(`${error.reason}: ${error.message}`)
    }
  }
  const errors = files.flatMap(({ faults }) => faults).filter((fault) => fault[flags.for] === 'error')
  printLines(...(await FORMATS[flags.format](files, flags.for)))
  process.exitCode = isUnreadable ? 2 : errors.length > 0 ? 1 : 0
}

const FORMATS: Readonly<Record<LintFlags['format'], (files: readonly LintedFile[], purpose: Purpose) => Promise<string[]> | string[]>> = {
  text: (files, purpose) => files.flatMap((file) => linesOf(file, purpose)),
  json: (files) => [JSON.stringify(files.map(({ text: _, ...file }) => file))],
  sarif: async (files, purpose) => {
    const { version } = await import('../../server/stores.js')
    return [JSON.stringify(sarifOf(files, purpose, version))]
  },
}

/** `card.json:3:5  error  missing-member  /version  is missing: …`, as editors recognise it, and one line about the card. */
function linesOf({ source, text, state, a2aVersion, canPublish, canImport, faults }: LintedFile, purpose: Purpose): string[] {
  const find = positionsIn(text)
  const lines = faults.map(({ code, pointer, hint, ...severity }) => {
    const { line, column } = find(pointer)
    return `${source}:${line}:${column}  ${severity[purpose]}  ${code}  ${pointer || '(card)'}  ${hint}`
  })
  const can = `${canPublish ? 'can be published' : 'cannot be published'}, ${canImport ? 'can be imported' : 'cannot be imported'}`
  return [...lines, `${source}: ${state}${a2aVersion === undefined ? '' : ` (A2A ${a2aVersion})`}, ${faults.length} faults, ${can}`]
}

async function textOf(source: string): Promise<string> {
  if (!/^https?:\/\//i.test(source)) return textOfFile(source)
  try {
    const response = await fetch(wellKnownCard(source), { signal: AbortSignal.timeout(FETCH_MS) })
    if (!response.ok) return refuse('unavailable', `${source}: the status is ${response.status}`)
    return await bodyOf(source, response)
  } catch (error) {
    if (isRefusal(error) || !(error instanceof Error)) throw error
    return refuse('unavailable', `cannot fetch ${source}: ${error.cause instanceof Error ? error.cause.message : error.message}`)
  }
}

async function bodyOf(source: string, response: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of response.body ?? []) {
    length += chunk.length
    if (length > MAX_CARD_BYTES) return refuse('bad_input', `${source}: larger than ${MAX_CARD_BYTES} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
