// Cosignatures of a log with two instances: what one collects, the other serves, and both may ask the same witness.
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { fetchRegistryKeys, readCheckpoint, readCosignedCheckpoint, readVerifierKeys } from '../../../src/client/index.js'
import { parseConfig } from '../../../src/server/config.js'
import { serve } from '../../../src/server/main.js'
import { freePort } from '../../free-port.mjs'
import { newCast } from '../../registry.js'
import { tempFolder } from '../open-store.js'
import { overMongod } from '../over-mongod.js'

overMongod((mongod) => {
  test('one instance collects the cosignatures and the other serves them; if both collect, the witness sees one history', async () => {
    await using folder = await tempFolder()
    const ports = [await freePort(), await freePort()] as const
    const issuer = `http://127.0.0.1:${ports[0]}`
    const store = mongod().url()
    const common = { dev: true, logLevel: 'silent', adminPort: 0, graceSeconds: 0, witness: false }
    const start = async (i: 0 | 1, cosigners: readonly string[]) =>
      serve(parseConfig({ ...common, issuer, store, dataDirectory: join(folder.path, `${i}`), port: ports[i], cosigners }, undefined, {}))
    const first = await start(0, [])
    const cast = await newCast({ issuer, firstCode: first.firstCode ?? '' })
    const acme = await cast.organisation('Acme')
    const keys = await fetchRegistryKeys(issuer, 'log')
    const { log } = await readVerifierKeys({ issuer, keys })
    await first.close()
    const flags = { ...common, dataDirectory: join(folder.path, 'witness'), port: await freePort(), cosignFor: log }
    const witness = await serve(parseConfig(flags, undefined, {}))
    const { witness: verifierKeys } = await readVerifierKeys({
      issuer: witness.issuer,
      keys: await fetchRegistryKeys(witness.issuer, 'log'),
    })
    const cosigner = `${witness.issuer}/witness,${verifierKeys[0]}`

    /** The log as instance `i` serves it. */
    const sourceAt = (i: 0 | 1) => {
      const at: typeof fetch = (url, init) => fetch(String(url).replace(issuer, `http://127.0.0.1:${ports[i]}`), init)
      return { issuer, keys, fetch: at }
    }
    const isCosignedAt = (i: 0 | 1) =>
      expect
        .poll(
          async () => {
            const { size } = await readCheckpoint(sourceAt(i))
            const cosigned = await readCosignedCheckpoint(sourceAt(i), verifierKeys).catch(() => undefined)
            return cosigned?.size === size && cosigned.cosignatures.length === 1
          },
          { timeout: 15_000, interval: 200 },
        )
        .toBe(true)
    const collecting = await start(0, [cosigner])
    // It reaches no witness, so it has only what the other one has stored
    const serving = await start(1, [`http://127.0.0.1:${await freePort()}/witness,${verifierKeys[0]}`])
    await cast.agent({ registeredBy: acme })
    await isCosignedAt(1)
    await serving.close()

    const second = await start(1, [cosigner])
    for (let i = 0; i < 3; i++) await cast.agent({ registeredBy: acme })
    await isCosignedAt(0)
    await isCosignedAt(1)
    for (const { adminUrl } of [collecting, second]) {
      const metrics = await (await fetch(`${adminUrl}/metrics`)).text()
      expect(metrics).toMatch(/^credence_cosigners_failing 0$/m)
      expect(metrics).toMatch(/^credence_cosigners_disputing 0$/m)
    }
    await Promise.all([collecting.close(), second.close()])
    await witness.close()
  })
})
