import { pino } from 'pino'
import type { Log } from '../lib/log.js'

/** Logs each event as a JSON line on standard error: `{ level, time, msg, … }`. */
export function newPinoLog(level: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent'): Log {
  const log = pino(
    { level, base: null, timestamp: pino.stdTimeFunctions.isoTime, formatters: { level: (label) => ({ level: label }) } },
    pino.destination(2),
  )
  return {
    info: (message, fields) => log.info({ ...fields }, message),
    warn: (message, fields) => log.warn({ ...fields }, message),
    error: (message, error, fields) => log.error({ ...fields, err: error }, message),
  }
}
