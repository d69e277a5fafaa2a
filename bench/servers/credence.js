// The registry on the embedded store, as `credence serve --dev --limits off` runs it.
import { rmSync } from 'node:fs'
import { parseConfig } from '../../dist/server/config.js'
import { serve } from '../../dist/server/main.js'
import { serveCalls } from '../lib/child.js'
import { newFolder } from '../lib/open.js'

const dataDirectory = newFolder()
process.on('exit', () => rmSync(dataDirectory, { recursive: true, force: true }))
const settings = { dev: true, dataDirectory, port: 0, adminPort: 0, logLevel: 'error', limits: 'off' }
const registry = await serve(parseConfig(settings, undefined, {}))
serveCalls({ issuer: registry.issuer, firstCode: registry.firstCode })
