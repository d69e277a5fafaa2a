// A registry over a store that can be stopped, dumped and loaded elsewhere under the same issuer.
import { join } from 'node:path'
import { silentLog } from '../../../src/lib/log.js'
import { dumpToFile, loadFromFile, type Progress } from '../../../src/operations/dump/command.js'
import type { LoadResult } from '../../../src/operations/dump/load.js'
import { parseConfig } from '../../../src/server/config.js'
import { type Registry as Served, serve } from '../../../src/server/main.js'
import { freePort } from '../../free-port.mjs'
import { type Actor, type AgentActor, aCard, type Cast, newCast } from '../../registry.js'
import { tempFolder } from '../../storage/open-store.js'
import { introduce } from '../../stories/actors.js'

/** A place for a store: a data directory in the folder of the world, and a database if `store` is given. */
export interface Place {
  readonly data: string
  readonly store?: string | undefined
}

export type World = Awaited<ReturnType<typeof newWorld>>

/** Starts a registry at the place, with an agent `ocr` that has a card, and an agent `planner` that may call it. */
export async function newWorld(first: Place, options: { readonly witness?: string; readonly port?: number } = {}) {
  const folder = await tempFolder()
  const port = options.port ?? (await freePort())
  const file = (name: string) => join(folder.path, name)
  let served: Served | undefined
  const flagsOf = ({ data, store }: Place) => ({
    ...(store && { store }),
    dataDirectory: file(data),
    witness: options.witness ?? file('witness.json'),
    issuer: `http://127.0.0.1:${port}`,
    port,
  })
  const configOf = (place: Place) =>
    parseConfig({ ...flagsOf(place), dev: true, adminPort: 0, graceSeconds: 0, logLevel: 'silent' }, undefined, {})
  const start = async (place: Place) => {
    served = await serve(configOf(place))
    return served
  }
  const stop = async () => {
    await served?.close()
    served = undefined
  }
  const { issuer, firstCode = '' } = await start(first)
  const cast: Cast = await newCast({ issuer, firstCode })
  const acme: Actor = await cast.organisation('Acme')
  const ocr: AgentActor = await cast.agent({ registeredBy: acme, name: 'ocr', introductionPolicy: { mode: 'open' } })
  const invoices = { id: 'invoices', name: 'Read invoices', description: 'Totals of invoices.', tags: ['invoice'] }
  const [page] = aCard({ issuer }).skills as readonly object[]
  await ocr.publish({
    card: aCard({ issuer }, { skills: [page, invoices] as never }),
    hide: ['/skills/1'],
    tiers: { '/skills/1': 'authenticated' },
  })
  const ceiling = { rights: [{ audience: ocr.audience, scope: 'ocr:read' }] }
  const planner: AgentActor = await cast.agent({ registeredBy: acme, name: 'planner', ceiling })
  await introduce(planner, ocr)
  return {
    file,
    issuer,
    cast,
    acme,
    ocr,
    planner,
    configOf,
    start,
    stop,
    callOcr: async () => planner.exchange({ audience: ocr.audience, taskId: (await planner.tasks.create({ description: 'read' })).taskId }),
    /** What the searches of the planner find. */
    searches: async () => {
      const all = await Promise.all(['scanned', 'invoices', ''].map((text) => planner.search(text === '' ? { tags: ['ocr'] } : { text })))
      return all.map(({ hits, total }) => [total, hits.map(({ agentId }) => agentId)])
    },
    dump: (place: Place, to: string, options: { seals?: boolean; onProgress?: (progress: Progress) => void } = {}) =>
      dumpToFile({ config: configOf(place), to: file(to), log: silentLog, ...options }),
    load: (from: string, place: Place, options: { onProgress?: (progress: Progress) => void } = {}): Promise<LoadResult> =>
      loadFromFile({ config: configOf(place), from: file(from), log: silentLog, ...options }),
    [Symbol.asyncDispose]: async () => {
      await stop()
      await folder[Symbol.asyncDispose]()
    },
  }
}
