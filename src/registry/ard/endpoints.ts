import type { Caller } from '../../http/caller.js'
import { publicDocument } from '../../http/etag.js'
import { type HttpRequest, json, type Route } from '../../http/route.js'
import { AgentId } from '../../protocol/ids.js'
import { type CatalogDeps, listEntries, requireEntry } from './catalog.js'
import { CATALOG_TYPE } from './entry.js'
import { ardErrorBody } from './errors.js'
import { filtersOf } from './filter.js'
import { parseListFilter } from './list-filter.js'
import { manifestOf } from './manifest.js'
import { bodyOf, ExploreRequest, ListRequest, ManifestRequest, queryOf, SearchRequest } from './requests.js'
import { exploreEntries, searchEntries } from './search.js'

interface ArdDeps extends CatalogDeps {
  readonly authenticate: (request: HttpRequest) => Promise<Caller | undefined>
}

/**
 * The endpoints of Agentic Resource Discovery 0.91. Search and exploration show a caller with a token more; everything else is the public
 * catalog, which is the same for all.
 */
export const ardEndpoints = (deps: ArdDeps): Route[] => {
  const askingOf = async (request: HttpRequest) => ({ caller: await deps.authenticate(request), address: request.address })
  const routes: Route[] = [
    {
      method: 'POST',
      path: '/search',
      endpoint: async (request) => {
        const asking = await askingOf(request)
        return json(200, await searchEntries(deps, asking, bodyOf(SearchRequest, request)))
      },
    },
    {
      method: 'POST',
      path: '/explore',
      endpoint: async (request) => {
        const asking = await askingOf(request)
        return json(200, await exploreEntries(deps, asking, bodyOf(ExploreRequest, request)))
      },
    },
    {
      method: 'GET',
      path: '/agents',
      endpoint: async (request) => {
        const { filter, pageSize, pageToken } = queryOf(ListRequest, request)
        const { members, publishedSince } = parseListFilter(filter)
        const wanted = filtersOf(members, { issuer: deps.issuer, at: ['filter'] })
        const { entries: items, ...page } = wanted
          ? await listEntries(deps, request.address, { ...wanted, publishedSince, limit: pageSize, cursor: pageToken })
          : { entries: [], total: 0 }
        return publicDocument(request, { items, total: page.total, pageToken: page.cursor }, CACHED)
      },
    },
    {
      // The address of an agent (its audience) has the same form. Card resolvers append to the last slash of an address, so it needs one. The
      // redirect is the same for every id
      method: 'GET',
      path: '/agents/:id',
      endpoint: async (request) => {
        const { path, params } = request
        return AgentId.safeParse(params.id).success
          ? { status: 308, headers: { location: `${path}/` } }
          : publicDocument(request, await requireEntry(deps, params.id ?? ''), CACHED)
      },
    },
    ...[
      { path: '/.well-known/ard.json', contentType: 'application/json' },
      { path: '/.well-known/ai-catalog.json', contentType: CATALOG_TYPE },
    ].map(
      ({ path, contentType }): Route => ({
        method: 'GET',
        path,
        endpoint: async (request) => {
          const page = queryOf(ManifestRequest, request)
          return publicDocument(request, await manifestOf(deps, request.address, page), { ...CACHED, contentType })
        },
      }),
    ),
  ]
  return routes.map((route) => ({ ...route, errorBody: ardErrorBody }))
}

/** As long as a public card. */
const CACHED = { maxAge: 60 }
