import { refuse } from '../errors.js'

/** Awaits the start of a listener. A failure becomes a refusal with the address and the cause, because it is a configuration mistake. */
export const listen = <T>(host: string, port: number, listening: Promise<T>): Promise<T> =>
  listening.catch((error: unknown) => {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    const cause = code === 'EADDRINUSE' ? 'the port is in use' : code
    return refuse('unavailable', `cannot listen on ${host}:${port}: ${cause}`)
  })
