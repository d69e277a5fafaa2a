export interface IncomingRequest {
  readonly method: string
  /** Path and query. */
  readonly url: string
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  /** The remote address of the connection, if the platform knows it. */
  readonly peer?: string | undefined
}
