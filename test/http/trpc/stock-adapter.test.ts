// The adapter of @trpc/server as oracle: for the same request, over-http.ts sends the same response.
import { createTRPCClient, httpBatchLink, httpBatchStreamLink, httpLink } from '@trpc/client'
import { fetchRequestHandler } from '@trpc/server/adapters/fetch'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { refuse } from '../../../src/errors.js'
import { trpcOverHttp } from '../../../src/http/trpc/over-http.js'
import { publicProcedure, router, type TrpcContext } from '../../../src/http/trpc/procedures.js'

const ORIGIN = 'http://registry.example'
const url = `${ORIGIN}/trpc`
const context: TrpcContext = {
  requestId: 'req_x',
  address: '127.0.0.1',
  requireCreationRate: async () => {},
  requireStillStanding: async () => {},
  findCaller: async () => undefined,
  revocationSignal: () => new AbortController().signal,
  onRefusal: async () => {},
  onBug: () => {},
}
const Input = z.strictObject({ text: z.string() })
const routes = router({
  some: router({
    nothing: publicProcedure.query(() => undefined),
    optional: publicProcedure.input(Input.optional()).query(({ input }) => input ?? 'no input'),
    echo: publicProcedure.input(Input).query(({ input }) => ({ ...input, missing: undefined, at: new Date(0) })),
    write: publicProcedure.input(Input).mutation(({ input }) => input.text.length),
    refused: publicProcedure.query(() => refuse('rate_limited', 'slow down', { retryAfterSeconds: 2 })),
    later: publicProcedure.query(() => refuse('unavailable', 'not now', { retryAfterSeconds: 7 })),
    bug: publicProcedure.query((): string => {
      throw new Error('mongodb://root:canary@db')
    }),
  }),
})

const trpc = trpcOverHttp({ router: routes, createContext: () => context })
const ours = async (request: Request): Promise<Response> => {
  const { pathname, searchParams } = new URL(request.url)
  const { status, headers, body } = await trpc.serve(
    {
      method: request.method,
      path: pathname,
      url: ORIGIN + pathname,
      params: {},
      query: searchParams,
      headers: Object.fromEntries(request.headers),
      body: new Uint8Array(await request.arrayBuffer()),
      requestId: context.requestId,
      address: context.address,
    },
    request.signal,
  )
  return new Response(String(body), { status, ...(headers && { headers }) })
}
const stock = (request: Request): Promise<Response> =>
  fetchRequestHandler({ endpoint: '/trpc', router: routes, req: request, createContext: () => context, allowMethodOverride: true })

const visible = async (response: Response) => ({
  status: response.status,
  type: response.headers.get('content-type'),
  vary: response.headers.get('vary'),
  body: JSON.parse(await response.text()),
})

const one = '{"text":"a"}'
const two = '{"0":{"text":"a"},"1":{"text":"b"}}'
const calls: [string, string?][] = [
  ['some.nothing'],
  ['some.optional'],
  ['some.optional', ''],
  ['some.echo', one],
  ['some.echo'],
  ['some.echo', 'null'],
  ['some.echo', '{"text":1}'],
  ['some.echo', '{"text":"a","more":1}'],
  ['some.write', one],
  ['some.write'],
  ['some.refused'],
  ['some.bug'],
  ['some.unknown', one],
  ['some.toString'],
  ['unknown', one],
  ['some.echo,some.echo', two],
  ['some.echo,some.echo?batch=1', two],
  ['some.write,some.write?batch=1', two],
  ['some.echo,some.optional?batch=1', '{"0":{"text":"a"}}'],
  ['some.echo?batch=1', '{"0":{"text":"a"}}'],
  ['some.echo?batch=1', '{"7":{"text":"a"}}'],
  ['some.nothing,some.nothing?batch=1'],
  ['some.echo,some.refused,some.later,some.bug,some.unknown?batch=1', two],
  ['some.refused,some.refused?batch=1'],
  ['some.refused,some.later?batch=1'],
]
test.each(
  ['GET', 'POST'].flatMap((method) => calls.map(([path, input]) => [method, path, input] as const)),
)('%s %s with the input %s gets the response of the stock adapter', async (method, path, input) => {
  const query = method === 'GET' && input ? `${path.includes('?') ? '&' : '?'}input=${encodeURIComponent(input)}` : ''
  const request = () =>
    new Request(`${ORIGIN}/trpc/${path}${query}`, {
      method,
      ...(method === 'POST' && { headers: { 'content-type': 'application/json' }, body: input ?? null }),
    })
  expect(await visible(await ours(request()))).toEqual(await visible(await stock(request())))
})

test('a batch names the longest wait of its calls in Retry-After', async () => {
  const response = await ours(new Request(`${ORIGIN}/trpc/some.refused,some.later?batch=1`))
  expect([response.status, response.headers.get('retry-after')]).toEqual([207, '7'])
})

test.each([
  ['httpLink', httpLink<typeof routes>],
  ['httpBatchLink', httpBatchLink<typeof routes>],
  ['httpBatchStreamLink', httpBatchStreamLink<typeof routes>],
  [
    'httpBatchStreamLink with streamHeader',
    (options: object) => httpBatchStreamLink<typeof routes>({ ...options, url, streamHeader: 'accept' }),
  ],
] as const)('%s gets the results of the stock adapter, with and without methodOverride', async (_, newLink) => {
  for (const override of [{}, { methodOverride: 'POST' as const }]) {
    const resultsOf = async (serve: typeof ours) => {
      const fetch = (input: RequestInfo | URL | string, init?: object) => serve(new Request(input, init))
      const client = createTRPCClient<typeof routes>({ links: [newLink({ url, fetch, ...override })] })
      const settled = await Promise.allSettled([
        client.some.nothing.query(),
        client.some.echo.query({ text: 'a' }),
        client.some.refused.query(),
        client.some.bug.query(),
        client.some.write.mutate({ text: 'ab' }),
        client.some.write.mutate({ text: 1 } as never),
      ])
      return settled.map((result) => (result.status === 'fulfilled' ? result.value : result.reason.shape))
    }
    const results = await resultsOf(ours)
    expect(results).toEqual(await resultsOf(stock))
    expect(results).toMatchObject([undefined, { text: 'a' }, { data: { reason: 'rate_limited' } }, { message: 'internal error' }, 2, {}])
  }
})
