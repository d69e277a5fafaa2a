import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { describe, expect, test } from 'vitest'

const SHARED = resolve(import.meta.dirname, '../../shared')

/** Runs the tests of a folder of ../shared, or warns that the folder is absent. */
export function describeShared(folder: string, title: string, tests: (material: SharedMaterial) => void): void {
  const path = resolve(SHARED, folder)
  if (existsSync(path)) {
    describe(title, () => {
      tests({
        names: (sub = '.') => readdirSync(resolve(path, sub)).sort(),
        text: (name) => readFileSync(resolve(path, name), 'utf8'),
        bytes: (name) => readFileSync(resolve(path, name)),
        json: (name) => JSON.parse(readFileSync(resolve(path, name), 'utf8')),
      })
    })
  } else {
    console.warn(`\n*** ../shared/${folder} IS ABSENT: "${title}" DID NOT RUN ***\n`)
    describe(title, () => {
      test(`NOT RUN: ../shared/${folder} is absent`, () => {
        expect(existsSync(path)).toBe(false)
      })
    })
  }
}

export interface SharedMaterial {
  names(sub?: string): string[]
  text(name: string): string
  bytes(name: string): Uint8Array
  // biome-ignore lint/suspicious/noExplicitAny: vectors have many shapes, and each test asserts its own
  json(name: string): any
}
