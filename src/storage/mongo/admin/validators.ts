// What the server lets anybody write into a collection. The schema of the whole document is checked before it is written; a validator keeps
// others from writing what no index could hold.
import type { Document } from 'mongodb'
import { z } from 'zod'
import type { Doc, Spec } from '../../storage.js'
import { indexedFields } from '../codec.js'

const BSON: Readonly<Record<string, readonly string[]>> = {
  string: ['string'],
  number: ['int', 'long', 'double'],
  integer: ['int', 'long', 'double'],
  boolean: ['bool'],
  array: ['array'],
}

export const validatorOf = (spec: Spec<Doc>): Document =>
  frame(Object.fromEntries(indexedFields(spec).map((field) => [field, { bsonType: bsonTypes(spec, field) }])))

function frame(fields: Document): Document {
  const properties = {
    _id: { bsonType: 'string' },
    text: { bsonType: 'string' },
    f: { bsonType: 'object', additionalProperties: false, properties: fields },
    expires: { bsonType: BSON.number },
    gone: { bsonType: 'date' },
  }
  return { $jsonSchema: { bsonType: 'object', required: ['_id', 'text', 'f'], additionalProperties: false, properties } }
}

function bsonTypes(spec: Spec<Doc>, field: string): readonly string[] {
  const schema = z.toJSONSchema(spec.schema, { unrepresentable: 'any', io: 'output' })
  const types = typesIn(schema.properties?.[field])
  return types.length > 0 ? [...new Set(types.flatMap((type) => BSON[type] ?? []))] : Object.values(BSON).flat()
}

function typesIn(schema: unknown): readonly string[] {
  if (typeof schema !== 'object' || schema === null) return []
  if ('type' in schema && typeof schema.type === 'string') return [schema.type]
  if ('const' in schema) return [typeof schema.const]
  const options = 'anyOf' in schema ? schema.anyOf : 'enum' in schema ? schema.enum : []
  if (!Array.isArray(options)) return []
  return options.flatMap((option: unknown) => (typeof option === 'object' ? typesIn(option) : [typeof option]))
}

/** Allows what `present` does, and what `wanted` does: so builds that write differently can run beside each other. */
export function widened(present: Document, wanted: Document): Document {
  const others = eachOf(present).filter((one) => !covers(wanted, one))
  return others.length === 0 ? wanted : { $or: [...others, wanted] }
}

export const isSame = (one: Document, other: Document): boolean => JSON.stringify(one) === JSON.stringify(other)

/** The indexed fields that `wanted` has and `present` does not know. */
export function newFields(wanted: Document, present: Document): readonly string[] {
  const known = eachOf(present).map(fieldsOf)
  return Object.keys(fieldsOf(wanted)).filter((field) => known.every((fields) => fields[field] === undefined))
}

const eachOf = (validator: Document): readonly Document[] => validator.$or ?? [validator]

/** Whether everything that `one` allows is allowed by `wide`: where both are of documents, and no field has a kind more. */
function covers(wide: Document, one: Document): boolean {
  if (isSame(wide, one) || Object.keys(wide).length === 0) return true
  const [fields, allowed] = [fieldsOf(one), fieldsOf(wide)]
  if (!isSame(frame(fields), one) || !isSame(frame(allowed), wide)) return false
  return Object.entries(fields).every(([field, { bsonType }]) =>
    [bsonType].flat().every((type) => [allowed[field]?.bsonType].flat().includes(type)),
  )
}

const fieldsOf = (validator: Document): Readonly<Record<string, Document>> => validator.$jsonSchema?.properties?.f?.properties ?? {}
