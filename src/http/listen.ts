import { refuse } from '../errors.js'

/** An address that cannot be had is told by its name: it is no bug. */
export const listen = <T>(host: string, port: number, listens: Promise<T>): Promise<T> =>
  listens.catch((error: unknown) => {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    const why = code === 'EADDRINUSE' ? 'it is in use' : code
    return refuse('unavailable', `the port ${port} of ${host} cannot be listened on: ${why}`)
  })
