// Checks that every planted change applies to the current code. The runs that plant the changes are long and rare.
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { expect, test } from 'vitest'

type Edit = readonly [file: string, from: string, to: string]
const load = (path: string) => import(`./${path}.mjs`)
const { MUTANTS }: { MUTANTS: readonly (readonly [rule: string, ...edit: Edit])[] } = await load('mutants')
const { PLANTED }: { PLANTED: readonly { name: string; edits: readonly Edit[] }[] } = await load('mongo/planted')
const { NEXT }: { NEXT: { edits: readonly Edit[] } } = await load('rolling/upgrade')

/** Applies the edits in order to the files in `folder`, and returns those that do not match exactly one place. */
function mismatches(folder: string, edits: readonly Edit[]): string[] {
  const texts = new Map<string, string>()
  return edits.flatMap(([file, from, to]) => {
    const text = texts.get(file) ?? readFileSync(resolve(import.meta.dirname, '../..', folder, file), 'utf8')
    texts.set(
      file,
      text.replace(from, () => to),
    )
    const times = text.split(from).length - 1
    return times === 1 && from !== to ? [] : [`${file} contains ${times} times: ${from}`]
  })
}

test.each(MUTANTS)('the mutant "%s" matches one place', (_, ...edit) => {
  expect(mismatches('.', [edit])).toEqual([])
})

test.each(PLANTED)('the planted fault "$name" matches one place per edit', ({ edits }) => {
  expect(mismatches('dist', edits)).toEqual([])
})

test('the edits of version N+1 match one place each', () => {
  expect(mismatches('dist', NEXT.edits)).toEqual([])
})
