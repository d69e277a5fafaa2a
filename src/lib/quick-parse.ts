// A fast answer to "does this value match the schema as it is?", made from the zod schema itself, so that no rule is written twice. The checks
// below only look at the value, whereas zod copies it and collects issues. `true` means that zod would return an equal value. `false` means that
// zod has to decide: the value does not match, or zod would change it (remove a member), or the schema has a part that is not known here.
//
// Cost: one pass over the value; nothing is allocated except the lists of member names.
import type { z } from 'zod'

type Check = (value: unknown) => boolean
type Def = z.core.$ZodTypes['_zod']['def']
type RuleDef = z.core.$ZodChecks['_zod']['def']

/** Parses like `schema.safeParse`, and skips zod for a value that matches as it is. The result may be `value` itself, so nobody may change it. */
export function quickParse<T>(schema: z.ZodType<T>, value: unknown): z.ZodSafeParseResult<T> {
  let matches = checks.get(schema)
  if (matches === undefined) {
    matches = checkOf(schema)
    checks.set(schema, matches)
  }
  return matches(value) ? { success: true, data: value as T } : schema.safeParse(value) // of the schema's type, as `matches` says
}
/** The check of each schema, made at its first use. */
const checks = new WeakMap<z.ZodType, Check>()

const zodDecides: Check = () => false

/** Checks that are false for some values that zod accepts: it would change them, or they have a part that is not known here. */
const inexact = new WeakSet<Check>([zodDecides])

/** Marks the check as inexact if one of its parts is. */
function combined(check: Check, parts: readonly Check[]): Check {
  if (parts.some((part) => inexact.has(part))) inexact.add(check)
  return check
}

function checkOf(schema: z.core.$ZodType): Check {
  const { def } = (schema as z.core.$ZodTypes)._zod // each schema is of one of these types
  if (def.type === 'optional' && !keepsUndefined(schema, def.innerType)) return zodDecides
  const hasType = typeCheckOf(def)
  const rules = (def.checks ?? []).map(({ _zod }) => ruleOf(_zod.def as RuleDef)) // each check is one of these
  return allOf([hasType, ...rules])
}

/** The checks one after another. Most schemas have one or two. */
function allOf(checks: readonly Check[]): Check {
  const [first = zodDecides, second, ...others] = checks
  if (second === undefined) return first
  const rest = allOf([second, ...others])
  return combined((value) => first(value) && rest(value), [first, rest])
}

function typeCheckOf(def: Def): Check {
  switch (def.type) {
    case 'string':
      // A format has a rule of its own, or is not known
      return 'format' in def || def.coerce ? zodDecides : (value) => typeof value === 'string'
    case 'number':
      if (def.coerce) return zodDecides
      if (!('format' in def)) return Number.isFinite
      return def.format === 'safeint' ? Number.isSafeInteger : zodDecides
    case 'boolean':
      return def.coerce ? zodDecides : (value) => typeof value === 'boolean'
    case 'undefined':
      return (value) => value === undefined
    case 'unknown':
      return () => true
    case 'literal':
      return among(def.values)
    case 'enum':
      return among(Object.values(def.entries))
    case 'optional': {
      const matches = checkOf(def.innerType)
      return combined((value) => value === undefined || matches(value), [matches])
    }
    case 'nullable': {
      const matches = checkOf(def.innerType)
      return combined((value) => value === null || matches(value), [matches])
    }
    case 'default': {
      const matches = checkOf(def.innerType)
      return combined((value) => value !== undefined && matches(value), [matches, zodDecides])
    }
    case 'union':
      return unionCheck(def)
    case 'array': {
      const matches = checkOf(def.element)
      return combined((value) => Array.isArray(value) && allMatch(value, matches), [matches])
    }
    case 'tuple': {
      const matches = def.items.map(checkOf)
      if (def.rest !== null || matches.some((check) => check(undefined))) return zodDecides
      return combined(
        (value) => Array.isArray(value) && value.length === matches.length && matches.every((check, i) => check(value[i])),
        matches,
      )
    }
    case 'record':
      // Another schema of the names may demand some of them
      return typeOf(def.keyType) === 'string' ? recordCheck(checkOf(def.keyType), checkOf(def.valueType)) : zodDecides
    case 'object':
      return objectCheck(def)
    case 'lazy': {
      let matches: Check | undefined
      const check: Check = (value) => {
        matches ??= checkOf(def.getter())
        return matches(value)
      }
      return combined(check, [zodDecides])
    }
    default:
      return zodDecides
  }
}

function ruleOf(def: RuleDef): Check {
  // The type was checked before: lengths are those of strings and arrays, and bounds those of numbers
  switch (def.check) {
    case 'min_length':
      return (value) => (value as string).length >= def.minimum
    case 'max_length':
      return (value) => (value as string).length <= def.maximum
    case 'length_equals':
      return (value) => (value as string).length === def.length
    case 'greater_than':
      return (value) => (value as number) > (def.value as number) || (def.inclusive && value === def.value)
    case 'less_than':
      return (value) => (value as number) < (def.value as number) || (def.inclusive && value === def.value)
    case 'string_format': {
      const { format, pattern } = def
      return format === 'regex' && pattern && !pattern.global && !pattern.sticky ? (value) => pattern.test(value as string) : zodDecides
    }
    default:
      return refinementOf(def)
  }
}

/** `refine` has a function in its definition; other checks of the kind `custom` have none. */
function refinementOf(def: object): Check {
  const { fn } = def as { readonly fn?: unknown }
  return typeof fn === 'function' ? (value) => fn(value) === true : zodDecides
}

const among = (values: readonly unknown[]): Check => {
  const accepted = new Set(values)
  return (value) => accepted.has(value)
}

/** zod takes the first option that accepts the value. So the options behind an inexact one are ignored: it might change the value. */
function unionCheck(def: z.core.$ZodUnionDef): Check {
  // An exclusive union demands that only one option accepts the value
  if (def.inclusive === false && !('discriminator' in def)) return zodDecides
  const options = def.options.map(checkOf)
  const end = options.findIndex((option) => inexact.has(option))
  const usable = end === -1 ? options : options.slice(0, end + 1)
  return combined((value) => usable.some((matches) => matches(value)), options)
}

/** Also refuses holes, which `every` skips. */
function allMatch(values: readonly unknown[], matches: Check): boolean {
  for (let i = 0; i < values.length; i++) if (!matches(values[i])) return false
  return true
}

/** Inexact, as an object with unknown members: zod removes a member named `__proto__`. */
function recordCheck(keyMatches: Check, valueMatches: Check): Check {
  const check: Check = (value) =>
    isPlain(value) && Object.keys(value).every((name) => name !== '__proto__' && keyMatches(name) && valueMatches(value[name]))
  return combined(check, [keyMatches, valueMatches, zodDecides])
}

function objectCheck({ shape, catchall }: z.core.$ZodObjectDef): Check {
  const members = new Map(
    Object.entries(shape).map(([name, schema]) => [name, { matches: checkOf(schema), isRequired: !isOmittable(schema) }]),
  )
  const checks = [...members.values()]
  const required = checks.filter(({ isRequired }) => isRequired).length
  const others = catchall === undefined ? undefined : typeOf(catchall)
  const keepsOthers = others === 'unknown'
  const check: Check = (value) => {
    if (!isPlain(value)) return false
    let missing = required
    for (const name of Object.keys(value)) {
      const member = members.get(name)
      if (member === undefined ? !keepsOthers || name === '__proto__' : !member.matches(value[name])) return false
      if (member?.isRequired) missing--
    }
    return missing === 0
  }
  // Without a rule for other members, zod removes them; with one that keeps them, it removes `__proto__`
  return combined(check, [...checks.map(({ matches }) => matches), ...(others === 'never' ? [] : [zodDecides])])
}

const typeOf = (schema: z.core.$ZodType): string => (schema as z.core.$ZodTypes)._zod.def.type // each schema is of one of these types

/** True if the member may be absent, and then stays so. */
function isOmittable(schema: z.core.$ZodType): boolean {
  const { def } = (schema as z.core.$ZodTypes)._zod
  return def.type === 'optional' && keepsUndefined(schema, def.innerType)
}

/** False if the inner schema gives `undefined` a value, such as a default, and for an optional member that may be absent but not `undefined`. */
const keepsUndefined = (schema: z.core.$ZodType, inner: z.core.$ZodType): boolean =>
  !schema._zod.traits.has('$ZodExactOptional') && (inner._zod.optin === undefined || typeOf(inner) === 'undefined')

function isPlain(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
}
