import { CARD_RULES, type CardRuleCode } from '../../protocol/cards/card-rules.js'
import type { CardLinted } from '../../registry/cards/lint/lint.js'
import { positionsIn } from './positions.js'

/** A card that was checked, with its text, for the positions of its faults. */
export interface LintedFile extends CardLinted {
  readonly source: string
  readonly text: string
}

export type Purpose = 'publish' | 'import'

const CODES = Object.keys(CARD_RULES) as CardRuleCode[] // the keys of the table are its codes

/** The faults as a log that code scanners read (SARIF 2.1.0). */
export function sarifOf(files: readonly LintedFile[], purpose: Purpose, version: string): object {
  const rules = CODES.map((id) => ({
    id,
    shortDescription: { text: CARD_RULES[id].text },
    defaultConfiguration: { level: CARD_RULES[id][purpose] },
  }))
  return {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: { driver: { name: 'credence card lint', version, rules } },
        columnKind: 'utf16CodeUnits',
        results: files.flatMap((file) => resultsOf(file, purpose)),
      },
    ],
  }
}

function resultsOf({ source, text, faults }: LintedFile, purpose: Purpose): object[] {
  const find = positionsIn(text)
  return faults.map(({ code, pointer, hint, ...severity }) => {
    const { line: startLine, column: startColumn } = find(pointer)
    return {
      ruleId: code,
      ruleIndex: CODES.indexOf(code),
      level: severity[purpose],
      message: { text: `${pointer || 'the card'}: ${hint}` },
      locations: [
        {
          physicalLocation: { artifactLocation: { uri: uriOf(source) }, region: { startLine, startColumn } },
          logicalLocations: [{ fullyQualifiedName: pointer, kind: 'member' }],
        },
      ],
    }
  })
}

/** A URL, or a path relative to the folder of the run. */
const uriOf = (source: string): string =>
  /^https?:\/\//i.test(source) ? source : encodeURI(source.replaceAll('\\', '/').replace(/^\.\//, ''))
