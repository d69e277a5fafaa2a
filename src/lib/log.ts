/** Fields of a log line: names as in docs/OPERATIONS.md. Never tokens, proofs, assertions, keys, undisclosed claims or bodies. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>

export interface Log {
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  /** A bug: once, where it is handled, with its stack. */
  error(message: string, error: unknown, fields?: LogFields): void
}

export const silentLog: Log = { info: () => {}, warn: () => {}, error: () => {} }
