import type { inferRouterInputs, inferRouterOutputs } from '@trpc/server'
import type { AppRouter } from '../../src/server/router.js'

type Inputs = inferRouterInputs<AppRouter>
type Outputs = inferRouterOutputs<AppRouter>
type Router = keyof Inputs & string

/** The path of a procedure, such as `agents.list`. */
export type Path = { [R in Router]: `${R}.${keyof Inputs[R] & string}` }[Router]

type Of<Types, P extends Path> = P extends `${infer R}.${infer N}`
  ? R extends keyof Types
    ? N extends keyof Types[R]
      ? Types[R][N]
      : never
    : never
  : never

/** A procedure without input takes `{}`. */
export type Input<P extends Path> = [Of<Inputs, P>] extends [void | undefined] ? Readonly<Record<string, never>> : Of<Inputs, P>
export type Output<P extends Path> = Of<Outputs, P>

/** A procedure that returns a page of a list. */
export type ListPath = { [P in Path]: Output<P> extends { readonly items: readonly unknown[] } ? P : never }[Path]
export type Item<P extends ListPath> = Output<P> extends { readonly items: readonly (infer I)[] } ? I : never
