import { InvalidArgumentError, Option } from 'commander'
import { isJsonObject } from '../lib/json.js'
import { refuseUsage } from './errors.js'

const FIELDS = /^[A-Za-z][A-Za-z0-9]*(,[A-Za-z][A-Za-z0-9]*)*$/

/** `--json [fields]`, for commands that only read. */
export const jsonFieldsOption = (): Option =>
  new Option('--json [fields]', 'print JSON, or only these fields of it, such as name,state').argParser((text) => {
    if (!FIELDS.test(text))
      throw new InvalidArgumentError('expected names of fields, such as name,state; other arguments come before --json')
    return text
  })

/**
 * The named fields of an object, or of each object of a list. `id` is the id of the thing itself, which its first `…Id` holds. `known` are the names that may
 * be absent; without them, those of the value count.
 */
export function selectFields(value: unknown, names: string, known?: readonly string[]): unknown {
  const objects = (Array.isArray(value) ? value : [value]).map((one) => (isJsonObject(one) ? one : {}))
  const possible = known ?? [...new Set(objects.flatMap(Object.keys))]
  const wanted = names.split(',')
  const unknown = wanted.filter((name) => name !== 'id' && !possible.includes(name))
  if (unknown.length > 0) refuseUsage(`--json: no field is named ${unknown.join(', ')} (fields: ${['id', ...possible].join(', ')})`)
  const idName = possible.find((name) => /^(kid|\w+Id)$/.test(name)) ?? 'name'
  const selected = objects.map((one) =>
    Object.fromEntries(wanted.map((name) => [name, one[name === 'id' && !possible.includes('id') ? idName : name]])),
  )
  return Array.isArray(value) ? selected : selected[0]
}
