#!/usr/bin/env node
import { z } from 'zod'
import { CredenceError } from '../client/index.js'
import { isRefusal } from '../errors.js'
import { pointerOf } from '../lib/json-pointer.js'
import { newProgram } from './program.js'

try {
  await newProgram().parseAsync()
} catch (error) {
  process.exitCode = 1
  process.stderr.write(`${describe(error)}\n`)
}

/** A refusal or a system error as text with its faults; anything else is a bug and prints its stack. */
function describe(error: unknown): string {
  if (error instanceof z.ZodError) {
    const faults = error.issues.map(({ path, message }) => ({ pointer: pointerOf(path.map(String)), hint: message }))
    return lines('bad_input', 'invalid value', faults)
  }
  if (error instanceof Error && 'syscall' in error) return lines('unavailable', error.message)
  if (isRefusal(error)) return lines(error.reason, error.message, error.detail.faults)
  if (error instanceof CredenceError) return lines(error.reason, error.message, error.faults)
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}

function lines(reason: string, text: string, faults: readonly { pointer: string; hint: string }[] = []): string {
  return [`${reason}: ${text}`, ...faults.map(({ pointer, hint }) => `  ${pointer || '(whole input)'}  ${hint}`)].join('\n')
}
