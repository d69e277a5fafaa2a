#!/usr/bin/env node
import { describeError, errorLines, exitCodeOf } from './errors.js'
import { printErrorLines } from './output.js'
import { newProgram } from './program.js'

const isJson = process.argv.some((word) => word === '--json' || word.startsWith('--json='))

try {
  await newProgram({ printsUsageErrors: !isJson }).parseAsync()
} catch (error) {
  process.exitCode = exitCodeOf(error)
  const described = describeError(error)
  if (described.code !== 'usage' || (isJson && process.exitCode !== 0))
    printErrorLines(...(isJson ? [JSON.stringify({ ...described, stack: undefined })] : errorLines(described)))
}
