// Writes the files that are generated from the code: schemas/*.json, docs/API.md and docs/CLI.md. `npm run generate` runs it.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { openApi } from '../server/api/openapi.js'
import { apiReference } from '../server/api/reference.js'
import { schemaFiles } from '../server/schemas.js'
import { cliReference } from './reference.js'

/** Every generated file by its path in the project. */
export function generatedFiles(): Readonly<Record<string, string>> {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  const schemas = Object.entries(schemaFiles()).map(([file, text]) => [`schemas/${file}`, text] as const)
  return {
    ...Object.fromEntries(schemas),
    'schemas/openapi.json': `${JSON.stringify(openApi(String(version)), null, 2)}\n`,
    'docs/API.md': apiReference(),
    'docs/CLI.md': cliReference(),
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  for (const [file, text] of Object.entries(generatedFiles())) writeFileSync(join(process.argv[2] ?? '.', file), text)
}
