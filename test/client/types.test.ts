// `tsc` checks this file: the published types have every member that the registry sends.
import { expectTypeOf, test } from 'vitest'
import type { CardDiff, CardVersion, Hit, InboxItem, Introduction, LineageNode, Task } from '../../src/client/index.js'
import type { AppRouter } from '../../src/server/router.js'

type Output<P> = P extends { readonly _def: { readonly $types: { readonly output: infer O } } } ? O : never
type Procedures = AppRouter['_def']['record']
/** The members of a response that the published type lacks. */
type Lacking<Response, Published> = Exclude<keyof Response, keyof Published>

test('the published types lack no member of a response', () => {
  expectTypeOf<Lacking<Output<Procedures['cards']['history']>['items'][number], CardVersion>>().toBeNever()
  expectTypeOf<Lacking<Output<Procedures['cards']['diff']>, CardDiff>>().toBeNever()
  expectTypeOf<Lacking<Output<Procedures['introductions']['get']>, Introduction>>().toBeNever()
  expectTypeOf<Lacking<Output<Procedures['introductions']['inbox']>['items'][number], InboxItem>>().toBeNever()
  expectTypeOf<Lacking<Output<Procedures['tasks']['get']>, Task>>().toBeNever()
  expectTypeOf<Lacking<Output<Procedures['tokens']['lineage']>['nodes'][number], LineageNode>>().toBeNever()
  expectTypeOf<Lacking<Output<Procedures['discovery']['search']>['hits'][number], Hit>>().toBeNever()
  // The look-up itself works: an unknown procedure would have no members, and every type would pass.
  expectTypeOf<'endedBy' extends keyof Output<Procedures['tasks']['get']> ? true : false>().toEqualTypeOf<true>()
})
