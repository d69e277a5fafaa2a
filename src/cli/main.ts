#!/usr/bin/env node
import { z } from 'zod'
import { CredenceError } from '../client/index.js'
import { DamagedStore, isRefusal } from '../errors.js'
import { faultsMissingIn, textOfIssues } from '../protocol/input-faults.js'
import { printErrorLines } from './output.js'
import { newProgram } from './program.js'

const WHAT_TO_DO = 'Run credence admin check, which names all damage and says what to do'

try {
  await newProgram().parseAsync()
} catch (error) {
  process.exitCode = 1
  printErrorLines(...describe(error))
}

/** A refusal or a system error as text with its faults; anything else is a bug and prints its stack. */
function describe(error: unknown): string[] {
  if (error instanceof z.ZodError) return lines('bad_input', textOfIssues(error.issues))
  if (error instanceof Error && 'syscall' in error) return lines('unavailable', error.message)
  if (error instanceof DamagedStore) return lines('unavailable', `${error.message}. ${WHAT_TO_DO}`)
  if (isRefusal(error)) return lines(error.reason, error.message, error.detail.faults)
  if (error instanceof CredenceError) return lines(error.reason, error.message, error.faults)
  return error instanceof Error ? [String(error), ...framesOf(error)] : [String(error)]
}

function lines(reason: string, text: string, faults: readonly { pointer: string; hint: string }[] = []): string[] {
  const unnamed = faultsMissingIn(text, faults)
  return [`${reason}: ${text}`, ...unnamed.map(({ pointer, hint }) => `  ${pointer || '(whole input)'}  ${hint}`)]
}

/** The lines of the stack below the message, which may have several lines itself. */
function framesOf({ stack = '', message }: Error): string[] {
  return stack
    .slice(stack.indexOf(message) + message.length)
    .split('\n')
    .slice(1)
}
