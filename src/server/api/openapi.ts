// Generates schemas/openapi.json (OpenAPI 3.1), and the list of procedures for docs/API.md, from the zod schemas that the server parses
// with.
import { z } from 'zod'
import { REFUSALS } from '../../errors.js'
import type { ProcedureMeta } from '../../http/trpc/procedures.js'
import { newRouter, type RouterDeps } from '../router.js'
import { HTTP_ENDPOINTS } from './endpoints.js'
import type { HttpEndpoint } from './http-endpoint.js'
import { PROCEDURES } from './procedures.js'

/** A tRPC procedure as the documents show it. */
export interface DescribedProcedure extends ProcedureMeta {
  readonly path: string
  readonly type: 'query' | 'mutation' | 'subscription'
  readonly input?: z.ZodType
  readonly summary: string
  readonly caller: string
}

/** Every procedure of the router, in the order of `PROCEDURES`. Throws if the list and the router differ. */
export function describedProcedures(): readonly DescribedProcedure[] {
  // No procedure is called here, so empty objects can stand in for the dependencies.
  const deps = new Proxy({}, { get: () => ({}) }) as RouterDeps
  const { procedures } = newRouter(deps)._def
  const definitions = procedures as unknown as Readonly<Record<string, { _def: ProcedureDefinition }>> // tRPC does not type `inputs`
  const undescribed = Object.keys(procedures).filter((path) => PROCEDURES[path] === undefined)
  if (undescribed.length > 0) throw new Error(`server/api/procedures.ts lacks ${undescribed.join(', ')}`)
  return Object.entries(PROCEDURES).map(([path, description]) => {
    const definition = definitions[path]?._def
    if (definition === undefined) throw new Error(`server/api/procedures.ts names ${path}, which the router does not have`)
    const [input] = definition.inputs
    return { path, type: definition.type, ...(input && { input }), ...definition.meta, ...description }
  })
}

/** The part of a tRPC procedure's definition that is read here. */
interface ProcedureDefinition {
  readonly type: DescribedProcedure['type']
  readonly inputs: readonly z.ZodType[]
  readonly meta?: ProcedureMeta
}

const schemaOf = (schema: z.ZodType, io: 'input' | 'output' = 'input') => {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { target: 'draft-2020-12', unrepresentable: 'any', io })
  return rest
}

const ERROR_OF_HTTP = {
  type: 'object',
  required: ['error', 'error_description'],
  properties: {
    error: { enum: Object.keys(REFUSALS) },
    error_description: { type: 'string' },
    faults: {
      type: 'array',
      items: { type: 'object', properties: { pointer: { type: 'string' }, hint: { type: 'string' } } },
    },
    available: { type: 'object', properties: { calls: { type: 'integer' }, units: { type: 'integer' } } },
    request_id: { type: 'string' },
  },
}

const ERROR_OF_ARD = {
  type: 'object',
  required: ['errorCode', 'message'],
  properties: { errorCode: { type: 'string' }, message: { type: 'string' } },
}

const ERROR_OF_TRPC = {
  type: 'object',
  properties: {
    error: {
      type: 'object',
      properties: {
        message: { type: 'string' },
        code: { type: 'integer' },
        data: {
          type: 'object',
          properties: {
            reason: { enum: Object.keys(REFUSALS) },
            httpStatus: { type: 'integer' },
            faults: ERROR_OF_HTTP.properties.faults,
            requestId: { type: 'string' },
          },
        },
      },
    },
  },
}

const refusal = (name: string) => ({
  description: 'A refusal; docs/ERRORS.md lists the reasons.',
  content: { 'application/json': { schema: { $ref: `#/components/schemas/${name}` } } },
})

/** Path parameters as OpenAPI writes them: `/agents/{id}`. */
const openApiPath = (path: string): string => path.replaceAll(/:(\w+)/g, '{$1}')

function endpointOperation({ path, tag, summary, caller, source, parameters, body, isJson, response, reasons }: HttpEndpoint) {
  return {
    tags: [tag],
    summary,
    description: `Callers: ${caller}.${source === undefined ? '' : ` Source: ${source}.`}`,
    ...(parameters && {
      parameters: Object.entries(parameters.shape).map(([name, schema]) => ({
        name,
        in: path.includes(`:${name}`) ? 'path' : 'query',
        required: !(schema as z.ZodType).safeParse(undefined).success,
        schema: schemaOf(schema as z.ZodType),
      })),
    }),
    ...(body && {
      requestBody: {
        required: true,
        content: { [isJson ? 'application/json' : 'application/x-www-form-urlencoded']: { schema: schemaOf(body) } },
      },
    }),
    responses: {
      [response.status ?? 200]: {
        description: 'Success.',
        content: { [response.type]: response.schema ? { schema: schemaOf(response.schema, 'output') } : {} },
      },
      ...(reasons.length > 0 && {
        default: { ...refusal(tag === 'ARD' ? 'ArdError' : 'HttpError'), description: `A refusal, such as ${reasons.join(', ')}.` },
      }),
    },
  }
}

function procedureOperation({ type, input, scope, roles, summary, caller }: DescribedProcedure) {
  const security = scope === undefined ? [{}, { dpop: [] }] : [{ dpop: scope === 'any' ? [] : [scope] }]
  const schema = input && schemaOf(input)
  return {
    tags: ['tRPC'],
    summary,
    description: `Callers: ${caller}.${scope && scope !== 'any' ? ` Scope: ${scope}.` : ''}${roles ? ` Roles: ${roles.join(', ')}.` : ''}`,
    security,
    ...(schema && type === 'query'
      ? { parameters: [{ name: 'input', in: 'query', description: 'JSON', content: { 'application/json': { schema } } }] }
      : schema && { requestBody: { content: { 'application/json': { schema } } } }),
    responses: {
      200: {
        description: 'Success.',
        content: {
          'application/json': { schema: { type: 'object', properties: { result: { type: 'object', properties: { data: {} } } } } },
        },
      },
      default: refusal('TrpcError'),
    },
  }
}

/** The OpenAPI document. It leaves out subscriptions, which run only over WebSocket. */
export function openApi(version: string): object {
  const paths: Record<string, Record<string, unknown>> = {}
  const add = (path: string, method: string, operation: unknown): void => {
    paths[path] = { ...paths[path], [method]: operation }
  }
  for (const endpoint of HTTP_ENDPOINTS) add(openApiPath(endpoint.path), endpoint.method.toLowerCase(), endpointOperation(endpoint))
  for (const procedure of describedProcedures().filter(({ type }) => type !== 'subscription'))
    add(`/trpc/${procedure.path}`, procedure.type === 'query' ? 'get' : 'post', procedureOperation(procedure))
  return {
    openapi: '3.1.0',
    info: { title: 'Credence', version, license: { name: 'Apache-2.0', identifier: 'Apache-2.0' } },
    paths,
    components: {
      schemas: { HttpError: ERROR_OF_HTTP, ArdError: ERROR_OF_ARD, TrpcError: ERROR_OF_TRPC },
      securitySchemes: { dpop: { type: 'http', scheme: 'DPoP', description: 'A root token with a DPoP proof (RFC 9449 §7).' } },
    },
  }
}
