export interface IncomingRequest {
  readonly method: string
  /** Path and query. */
  readonly url: string
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  /** Address of the other end of the connection, where the platform tells it. */
  readonly peer?: string | undefined
}
