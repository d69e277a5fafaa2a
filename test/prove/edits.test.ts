// What is planted stands for a line that is there: the runs that plant it are long and rare, and a line that has moved would be noticed only there.
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { expect, test } from 'vitest'

type Edit = readonly [file: string, from: string, to: string]
const load = (path: string) => import(`./${path}.mjs`)
const { MUTANTS }: { MUTANTS: readonly (readonly [rule: string, ...edit: Edit])[] } = await load('mutants')
const { PLANTED }: { PLANTED: readonly { name: string; edits: readonly Edit[] }[] } = await load('mongo/planted')
const { NEXT }: { NEXT: { edits: readonly Edit[] } } = await load('rolling/upgrade')

/** The edits that cannot be made, one after the other, in what lies in `folder`. */
function moved(folder: string, edits: readonly Edit[]): string[] {
  const texts = new Map<string, string>()
  return edits.flatMap(([file, from, to]) => {
    const text = texts.get(file) ?? readFileSync(resolve(import.meta.dirname, '../..', folder, file), 'utf8')
    texts.set(
      file,
      text.replace(from, () => to),
    )
    const times = text.split(from).length - 1
    return times === 1 && from !== to ? [] : [`${file} has ${times} times: ${from}`]
  })
}

test.each(MUTANTS)('the mutant "%s" has its line once', (_, ...edit) => {
  expect(moved('.', [edit])).toEqual([])
})

test.each(PLANTED)('the planted fault "$name" has its lines once', ({ edits }) => {
  expect(moved('dist', edits)).toEqual([])
})

test('the next version has its lines once', () => {
  expect(moved('dist', NEXT.edits)).toEqual([])
})
