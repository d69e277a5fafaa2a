import { z } from 'zod'
import { textOfIssues } from '../../protocol/input-faults.js'
import { systemText } from '../errors.js'

/** A line of `credence doctor`. */
export interface Check {
  readonly check: string
  readonly state: 'ok' | 'warn' | 'fail'
  /** The finding, in words. */
  readonly text: string
  /** How to repair it. */
  readonly todo?: string
}

export const ok = (check: string, text: string): Check => ({ check, state: 'ok', text })
export const warn = (check: string, text: string, todo: string): Check => ({ check, state: 'warn', text, todo })
export const fail = (check: string, text: string, todo: string): Check => ({ check, state: 'fail', text, todo })

/** Runs a check. One that throws has failed, and `todo` says what to do about it. */
export async function tryCheck(check: string, todo: string, work: () => Promise<Check>): Promise<Check> {
  try {
    return await work()
  } catch (error) {
    return fail(check, messageOf(error), todo)
  }
}

/** The message of an error, without the name of its class. A connection that failed for each address of a host has one error per address. */
export function messageOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(messageOf).join('; ')
  if (error instanceof z.ZodError) return `the response is not in the expected form: ${textOfIssues(error.issues)}`
  return error instanceof Error ? systemText(error) : String(error)
}

/** A number of seconds for people, such as `3 minutes`. */
export function duration(seconds: number): string {
  const [size, unit] = UNITS.find(([length]) => Math.abs(seconds) >= 2 * length) ?? [1, 'second']
  const count = Math.round(Math.abs(seconds) / size)
  return `${count} ${unit}${count === 1 ? '' : 's'}`
}
const UNITS = [
  [86_400, 'day'],
  [3600, 'hour'],
  [60, 'minute'],
] as const
