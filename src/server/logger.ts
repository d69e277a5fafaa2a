import { pino } from 'pino'
import { printable } from '../lib/io/printable.js'
import type { Log } from '../lib/log.js'

/** Logs each event as a JSON line on standard error: `{ level, time, msg, … }`. */
export function newPinoLog(level: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent'): Log {
  const log = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      // pino escapes only the controls below U+0020
      hooks: { streamWrite: (line) => `${printable(line.trimEnd())}\n` },
    },
    pino.destination(2),
  )
  return {
    debug: (message, fields) => log.debug({ ...fields }, message),
    info: (message, fields) => log.info({ ...fields }, message),
    warn: (message, fields) => log.warn({ ...fields }, message),
    error: (message, error, fields) => log.error({ ...fields, err: error }, message),
  }
}
