import { parseConfig } from '../../server/config.js'
import { serve } from '../../server/main.js'

export interface ServeFlags {
  readonly config?: string
  readonly data?: string
  readonly witness?: string
  readonly witnessFor?: readonly string[]
  readonly store?: string
  readonly issuer?: string
  readonly host?: string
  readonly port?: string
  readonly adminPort?: string
  readonly dev?: boolean
  readonly logLevel?: string
}

/** Runs the registry until SIGTERM or SIGINT, then drains and closes. */
export async function runServe(flags: ServeFlags): Promise<void> {
  const { config: file, data, ...rest } = flags
  const config = parseConfig({ ...rest, ...(data === undefined ? {} : { dataDirectory: data }) }, file)
  const registry = await serve(config)
  // Before anybody is told that it serves: whoever hears it may end it at once
  const ended = new Promise<void>((resolve) => {
    process.once('SIGTERM', () => resolve())
    process.once('SIGINT', () => resolve())
  })
  process.stdout.write(`registry   ${registry.issuer}\nadmin      ${registry.adminUrl}\n`)
  if (registry.firstCode)
    process.stdout.write(
      `first code ${registry.firstCode}   (15 minutes, five tries: credence login --registry ${registry.issuer} --code …)\n`,
    )
  process.stdout.write('serving\n')
  await ended
  await registry.close()
}
