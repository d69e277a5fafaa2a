// The registry on the embedded store, as `credence serve --dev` runs it.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseConfig } from '../../dist/config.js'
import { serve } from '../../dist/serve.js'
import { optionsOf, serveQuestions } from '../lib/child.js'

const { dataDirectory = mkdtempSync(join(tmpdir(), 'credence-bench-')), keep = false } = optionsOf()
if (!keep) process.on('exit', () => rmSync(dataDirectory, { recursive: true, force: true }))
const started = performance.now()
const registry = await serve(parseConfig({ dev: true, dataDirectory, port: 0, adminPort: 0, logLevel: 'error' }, undefined, {}))
serveQuestions({ issuer: registry.issuer, firstCode: registry.firstCode, startMs: performance.now() - started })
