// Parameters of a token request that ask for less than the client may have. Each one is honoured or refused by its name: a client that asks
// for a narrow token and gets an ordinary one would not notice. Other unknown parameters are ignored (RFC 6749 §3.2).

import { z } from 'zod'
import { TaskReference } from '../../delegation/tasks/store.js'
import { refuse } from '../../errors.js'
import type { OAuthForm } from '../../http/form.js'
import { readJson } from '../../lib/json.js'
import { TaskId } from '../../protocol/ids.js'
import { textOfIssues } from '../../protocol/input-faults.js'
import { coveredBySome, MAX_CALLS, Names, narrowNames, parseScope, type Scope } from '../../protocol/rights.js'
import type { TaskParameters } from './task.js'

/** The narrowing parameters that every grant serves. */
const SERVED = [
  'task_id',
  'task_description',
  'parent_task_id',
  'allowed_tools',
  'allowed_resources',
  'required_tools',
  'required_resources',
  'expires_in',
]

/** The parameters that some grants serve, and the others refuse. */
const SERVED_BY_SOME = [
  'delegation',
  'max_calls',
  'approval_id',
  'exchange_rights',
  'subject_token',
  'subject_token_type',
  'actor_token',
  'actor_token_type',
  'requested_token_type',
]

/** Names of narrowing parameters: those of Credence and of the standards, those with the same beginnings, and their likely misspellings. */
const NARROWING =
  /^(?:(?:allowed|required|denied|deny|excluded|max|not|expires?|expiry|exp|lifetime|ttl|valid|task|parent_task|parent_token|token_lifetime|requested_(?:expires|scope|lifetime|token_use)|single|one_time|delegation|exchange|authorization|actor|approval)(?:_[a-z_]{1,32})?|scopes?|tools?|resources?|audiences?|permissions?|claims|cnf|req_cnf|dpop_jkt)$/
/** Parameters of every grant that are parsed elsewhere. */
const DEFINED = ['scope', 'resource', 'audience', 'agent_id']
/** Parameters of nearly every request, which narrow nothing. */
const OF_CLIENTS = ['grant_type', 'client_assertion_type', 'client_assertion', 'client_id']

/** `taskId`, `task-id`, `task.id`, `TASK_ID` and `task_id[0]` all become `task_id`. */
const folded = (name: string): string =>
  name
    .replace(/\[.*$/s, '')
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .replace(/[-.]/g, '_')
    .toLowerCase()

const withoutSeparators = (name: string): string => folded(name).replaceAll('_', '')
const KNOWN = new Set([...SERVED, ...SERVED_BY_SOME, ...DEFINED].map(withoutSeparators))

/** True for a name of a narrowing parameter, also with other separators or none, such as `taskid`. */
const isNarrowing = (name: string): boolean => NARROWING.test(folded(name)) || KNOWN.has(withoutSeparators(name))

/** The id of a task, or a reference. */
const TaskName = z.union([TaskId, TaskReference], 'neither the id of a task nor printable text of at most 128 characters')
const Description = z.string().trim().min(1).max(1024)

const Seconds = z
  .string()
  .regex(/^[1-9]\d{0,9}$/, 'must be a whole number of seconds, at least 1')
  .transform(Number)

const MaxCalls = z
  .string()
  .regex(/^[1-9]\d{0,3}$/, `must be a whole number from 1 to ${MAX_CALLS}`)
  .transform(Number)
  .refine((calls) => calls <= MAX_CALLS, `must be at most ${MAX_CALLS}`)

export interface Narrowing extends TaskParameters {
  readonly tools?: readonly string[] | undefined
  readonly resources?: readonly string[] | undefined
  readonly requiredTools: readonly string[]
  readonly requiredResources: readonly string[]
  /** Requested lifetime. */
  readonly seconds?: number | undefined
  /** Requested number of calls. */
  readonly maxCalls?: number | undefined
}

/** Parses the narrowing parameters of every grant. Refuses any other, except those in `alsoServed`, which the grant itself parses. */
export function parseNarrowing(form: OAuthForm, alsoServed: readonly string[]): Narrowing {
  refuseUnless(form, [...SERVED, ...alsoServed])
  return {
    taskId: parseParameter(form, 'task_id', TaskName, false),
    taskDescription: parseParameter(form, 'task_description', Description, false),
    parentTaskId: parseParameter(form, 'parent_task_id', TaskName, false),
    tools: parseParameter(form, 'allowed_tools', Names, true),
    resources: parseParameter(form, 'allowed_resources', Names, true),
    requiredTools: parseParameter(form, 'required_tools', Names, true) ?? [],
    requiredResources: parseParameter(form, 'required_resources', Names, true) ?? [],
    seconds: parseParameter(form, 'expires_in', Seconds, false),
    maxCalls: parseParameter(form, 'max_calls', MaxCalls, false),
  }
}

/** Parses the lifetime for a grant that serves no other narrowing parameter. */
export function parseLifetime(form: OAuthForm): number | undefined {
  refuseUnless(form, ['expires_in'])
  return parseParameter(form, 'expires_in', Seconds, false)
}

function refuseUnless(form: OAuthForm, served: readonly string[]): void {
  for (const name of form.names)
    if (!served.includes(name) && !DEFINED.includes(name) && !OF_CLIENTS.includes(name) && isNarrowing(name)) refuseUnserved(name)
}

/** RFC 9396 §5 has a reason of its own for `authorization_details`. */
const refuseUnserved = (name: string): never =>
  name === 'authorization_details'
    ? refuse('invalid_authorization_details', 'authorization_details: no types are supported')
    : refuse(
        'invalid_request',
        `${name}: this grant does not serve the parameter, and a token that ignores it would be wider than requested`,
      )

export function parseParameter<S extends z.ZodType>(form: OAuthForm, name: string, schema: S, isJson: boolean): z.infer<S> | undefined {
  const text = form.get(name)
  if (text === undefined) return undefined
  const read = isJson ? readJson(text) : { value: text }
  if ('fault' in read) return refuse('invalid_request', `${name} is not JSON: ${read.fault}`)
  const parsed = schema.safeParse(read.value)
  return parsed.success ? parsed.data : refuse('invalid_request', `${name} is malformed: ${textOfIssues(parsed.error.issues)}`)
}

/** Returns the requested names, or all allowed names if none are requested. The `required` names must be among them. */
export function narrowNamesTo(
  sources: readonly (readonly string[] | undefined)[],
  requested: readonly string[] | undefined,
  required: readonly string[],
  kind: 'tools' | 'resources',
): readonly string[] | undefined {
  const allowed = sources.reduce(narrowNames, undefined)
  const covered = (names: readonly string[]) => allowed === undefined || names.every((name) => coveredBySome(allowed, name))
  const names = requested ?? allowed
  if (!covered(requested ?? []) || !covered(required) || names?.length === 0)
    return refuse('invalid_scope', `the requested or required ${kind} are not all granted, or no ${kind} remain`)
  if (names !== undefined && !required.every((name) => coveredBySome(names, name)))
    return refuse('invalid_scope', `the required ${kind} are not among the requested ${kind}`)
  return names
}

/**
 * Returns the requested scopes, or all allowed scopes if the request names none (RFC 6749 §3.3). Refuses a scope that is not allowed, and
 * an empty result.
 */
export function requestedScopes(form: OAuthForm, allowed: readonly Scope[]): readonly Scope[] {
  const requested = form.get('scope')
  const scopes = requested === undefined ? allowed : parseScope(requested)
  if (scopes === undefined) return refuse('invalid_scope', 'the scope is malformed')
  if (scopes.length === 0 || !scopes.every((scope) => coveredBySome(allowed, scope)))
    return refuse('invalid_scope', 'the scope is unknown, exceeds what can be granted, or is empty')
  return scopes
}
