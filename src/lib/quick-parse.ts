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

function checkOf(schema: z.core.$ZodType): Check {
  const { def } = (schema as z.core.$ZodTypes)._zod // each schema is of one of these types
  const hasType = typeCheckOf(def)
  const rules = (def.checks ?? []).map(({ _zod }) => ruleOf(_zod.def as RuleDef)) // each check is one of these
  return (value) => hasType(value) && rules.every((holds) => holds(value))
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
      return (value) => value === undefined || matches(value)
    }
    case 'nullable': {
      const matches = checkOf(def.innerType)
      return (value) => value === null || matches(value)
    }
    case 'default': {
      const matches = checkOf(def.innerType)
      return (value) => value !== undefined && matches(value)
    }
    case 'union': {
      const options = def.options.map(checkOf)
      return (value) => options.some((matches) => matches(value))
    }
    case 'array': {
      const matches = checkOf(def.element)
      return (value) => Array.isArray(value) && value.every(matches)
    }
    case 'record':
      return recordCheck(checkOf(def.keyType), checkOf(def.valueType))
    case 'object':
      return objectCheck(def)
    case 'lazy': {
      let matches: Check | undefined
      return (value) => {
        matches ??= checkOf(def.getter())
        return matches(value)
      }
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

function recordCheck(keyMatches: Check, valueMatches: Check): Check {
  return (value) =>
    isPlain(value) && Object.keys(value).every((name) => name !== '__proto__' && keyMatches(name) && valueMatches(value[name]))
}

function objectCheck({ shape, catchall }: z.core.$ZodObjectDef): Check {
  const members = new Map(Object.entries(shape).map(([name, schema]) => [name, checkOf(schema)]))
  const required = Object.entries(shape).flatMap(([name, schema]) =>
    (schema as z.core.$ZodTypes)._zod.def.type === 'optional' ? [] : [name],
  )
  const keepsOthers = catchall !== undefined && (catchall as z.core.$ZodTypes)._zod.def.type === 'unknown'
  return (value) => {
    if (!isPlain(value)) return false
    for (const name of required) if (!Object.hasOwn(value, name)) return false
    for (const name of Object.keys(value)) {
      const matches = members.get(name)
      if (matches === undefined ? !keepsOthers || name === '__proto__' : !matches(value[name])) return false
    }
    return true
  }
}

function isPlain(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
}
