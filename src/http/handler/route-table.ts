import type { Route } from '../route.js'

/** The routes of a path. */
export interface Match {
  readonly routes: readonly Route[]
  /** As in `Route`. */
  readonly path: string
  /** The parameters of the path, still percent-encoded. */
  readonly encodedParams: Readonly<Record<string, string>>
}

export type RouteTable = (path: string) => Match | undefined

/** Returns a function that finds the routes of a path. No path may match two patterns. */
export function newRouteTable(routes: readonly Route[]): RouteTable {
  const paths = [...new Set(routes.map(({ path }) => path))]
  const table = paths.map((path) => ({ path, pattern: patternOf(path), own: routes.filter((route) => route.path === path) }))
  return (requested) => {
    for (const { path, pattern, own } of table) {
      const match = pattern.exec(requested)
      if (match) return { path, routes: own, encodedParams: match.groups ?? {} }
    }
    return undefined
  }
}

function patternOf(path: string): RegExp {
  const source = path.replaceAll('.', '\\.').replace('*', '.*')
  return new RegExp(`^${source.replace(/:(\w+)/g, '(?<$1>[^/]*)')}$`)
}
