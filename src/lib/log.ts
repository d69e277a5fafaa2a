/** Fields of a log line; docs/OPERATIONS.md lists the names. Never log tokens, proofs, assertions, keys, undisclosed claims or bodies. */
type LogFields = Readonly<Record<string, string | number | boolean | undefined>>

export interface Log {
  /** Logs what callers do that needs no attention, such as a connection that they close early. */
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  /** Logs a bug with its stack. Call it once, in the handler of the error. */
  error(message: string, error: unknown, fields?: LogFields): void
}

export const silentLog: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
