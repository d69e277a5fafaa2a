import { readFile } from 'node:fs/promises'
import { digestOfText } from '../../credentials/jose/digest.js'
import { refuse } from '../../errors.js'
import { matchesEtag } from '../../http/etag.js'
import { scriptPage } from '../../http/pages/page.js'
import type { HttpResponse, Route } from '../../http/route.js'
import { personPage } from '../../identity/people/person-routes.js'
import type { SignInDeps } from '../../identity/people/sign-in.js'

/** Where Vite has built the console (console/vite.config.ts). */
const FOLDER = new URL('../../../dist/console/', import.meta.url)
const PATH = '/pages/console'
const CONTENT_TYPES: Readonly<Record<string, string>> = {
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
}

interface BuiltConsole {
  /** The files that the page names. */
  readonly scripts: readonly string[]
  readonly styles: readonly string[]
  readonly files: ReadonlyMap<string, HttpResponse>
}

/**
 * The console: a page whose script calls the same procedures as everybody, with a token of the session (`POST /session/token`). Every address
 * below it is the same page, which the script routes.
 */
export function consolePages(deps: SignInDeps, folder: URL = FOLDER): Route[] {
  let built: Promise<BuiltConsole> | undefined
  const read = () => {
    built ??= readBuilt(folder).catch((error: unknown) => {
      // The console may be built while the registry runs
      built = undefined
      throw error
    })
    return built
  }
  const page = (path: string) =>
    personPage(deps, path, async (person) => {
      const { scripts, styles } = await read()
      const { id, orgId, name, role, scopes, sessionId } = person
      return scriptPage({
        id: 'console',
        viewer: person,
        scripts,
        styles,
        data: { id, orgId, name, role, scopes, sessionId, issuer: deps.issuer },
      })
    })
  return [
    page('/console'),
    page('/console/*'),
    {
      method: 'GET',
      path: `${PATH}/:file`,
      endpoint: async (request) => {
        const file = (await read()).files.get(request.params.file ?? '') ?? refuse('not_found', 'there is no such file')
        const { headers = {} } = file
        return matchesEtag(request, headers.etag ?? '') ? { status: 304, headers } : file
      },
    },
  ]
}

interface ManifestEntry {
  readonly file: string
  readonly src?: string
  readonly css?: readonly string[]
}

async function readBuilt(folder: URL): Promise<BuiltConsole> {
  const text = await readFile(new URL('.vite/manifest.json', folder), 'utf8').catch(() =>
    refuse('not_found', 'this build has no console: run `npm run build`'),
  )
  const manifest = Object.values(JSON.parse(text) as Readonly<Record<string, ManifestEntry>>) // made by Vite
  const names = [...new Set(manifest.flatMap(({ file, css = [] }) => [file, ...css]))]
  const files = await Promise.all(names.map(async (name) => [name, await fileOf(folder, name)] as const))
  const entries = (ext: string) =>
    manifest.filter(({ src, file }) => src !== undefined && /^(main|style)\./.test(src) && file.endsWith(ext))
  const pathsOf = (ext: string) => entries(ext).map(({ file }) => `${PATH}/${file}`)
  return { scripts: pathsOf('.js'), styles: pathsOf('.css'), files: new Map(files) }
}

/** The names have a hash of the content, so a browser may keep the files. */
async function fileOf(folder: URL, name: string): Promise<HttpResponse> {
  const body = await readFile(new URL(name, folder), 'utf8')
  const contentType = CONTENT_TYPES[name.slice(name.lastIndexOf('.') + 1)] ?? 'application/octet-stream'
  const headers = { etag: `"${digestOfText(body)}"`, 'cache-control': 'public, max-age=31536000, immutable', 'content-type': contentType }
  return { status: 200, headers, body }
}
