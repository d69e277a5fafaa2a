import { expect, test, vi } from 'vitest'
import { print, printErrorLines } from '../../src/cli/output.js'

/** What `work` writes to a stream. */
function written(stream: NodeJS.WriteStream, work: () => void): string {
  const write = vi.spyOn(stream, 'write').mockReturnValue(true)
  try {
    work()
    return write.mock.calls.map(([text]) => String(text)).join('')
  } finally {
    write.mockRestore()
  }
}

const HOSTILE = 'look\nstate  granted\u001b]52;c;YQ==\u0007\u009b1A\u202e'
const ESCAPED = 'look\\nstate  granted\\u001b]52;c;YQ==\\u0007\\u009b1A\\u202e'

test("a text that others wrote stays on its line of the registry's response", () => {
  const introductions = [{ state: 'pending', purpose: HOSTILE, extensions: { [HOSTILE]: [HOSTILE] } }]
  expect(written(process.stdout, () => print({}, introductions)).split('\n')).toEqual([
    'state       pending',
    `purpose     ${ESCAPED}`,
    'extensions',
    `  ${ESCAPED}`,
    `    ${ESCAPED}`,
    '',
  ])
})

test('a text with a backslash does not look like one with an escaped character', () => {
  const of = (purpose: string) => written(process.stdout, () => print({}, [{ purpose }]))
  expect(of('rm\\u200b')).toBe('purpose  rm\\\\u200b\n')
  expect(of('rm\u200b')).toBe('purpose  rm\\u200b\n')
})

test('JSON is one printable line with the same value', () => {
  const value = { purpose: HOSTILE, [HOSTILE]: 1 }
  const text = written(process.stdout, () => print({ json: true }, value))
  expect(text).toMatch(/^[^\p{Cc}\p{Cf}]*\n$/u)
  expect(JSON.parse(text)).toEqual(value)
})

test('an error that quotes a text that others wrote is one line', () => {
  expect(written(process.stderr, () => printErrorLines(`bad_input: ${HOSTILE}`))).toBe(`bad_input: ${ESCAPED}\n`)
})
