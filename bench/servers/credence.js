// The registry on the embedded store, as `credence serve --dev` runs it.
import { rmSync } from 'node:fs'
import { parseConfig } from '../../dist/server/config.js'
import { serve } from '../../dist/server/main.js'
import { serveCalls } from '../lib/child.js'
import { newFolder } from '../lib/open.js'

const dataDirectory = newFolder()
process.on('exit', () => rmSync(dataDirectory, { recursive: true, force: true }))
const registry = await serve(parseConfig({ dev: true, dataDirectory, port: 0, adminPort: 0, logLevel: 'error' }, undefined, {}))
serveCalls({ issuer: registry.issuer, firstCode: registry.firstCode })
