// Validators, by which the server rejects malformed documents. Instances check the whole document against its schema before they write it; a
// validator covers the fields that indexes need, and protects against other writers.
import type { Document } from 'mongodb'
import { z } from 'zod'
import type { Doc, Spec } from '../../storage.js'
import { indexedFields } from '../codec.js'

const BSON_TYPES: Readonly<Record<string, readonly string[]>> = {
  string: ['string'],
  number: ['int', 'long', 'double'],
  integer: ['int', 'long', 'double'],
  boolean: ['bool'],
  array: ['array'],
}

export const validatorOf = (spec: Spec<Doc>): Document =>
  documentValidator(Object.fromEntries(indexedFields(spec).map((field) => [field, { bsonType: bsonTypes(spec, field) }])))

function documentValidator(fields: Document): Document {
  const properties = {
    _id: { bsonType: 'string' },
    text: { bsonType: 'string' },
    f: { bsonType: 'object', additionalProperties: false, properties: fields },
    expires: { bsonType: BSON_TYPES.number },
    purgeAt: { bsonType: 'date' },
  }
  return { $jsonSchema: { bsonType: 'object', required: ['_id', 'text', 'f'], additionalProperties: false, properties } }
}

function bsonTypes(spec: Spec<Doc>, field: string): readonly string[] {
  const schema = z.toJSONSchema(spec.schema, { unrepresentable: 'any', io: 'output' })
  const types = typesIn(schema.properties?.[field])
  return types.length > 0 ? [...new Set(types.flatMap((type) => BSON_TYPES[type] ?? []))] : Object.values(BSON_TYPES).flat()
}

function typesIn(schema: unknown): readonly string[] {
  if (typeof schema !== 'object' || schema === null) return []
  if ('type' in schema && typeof schema.type === 'string') return [schema.type]
  if ('const' in schema) return [typeof schema.const]
  const options = 'anyOf' in schema ? schema.anyOf : 'enum' in schema ? schema.enum : []
  if (!Array.isArray(options)) return []
  return options.flatMap((option: unknown) => (typeof option === 'object' ? typesIn(option) : [typeof option]))
}

/** A validator that accepts what either of two accepts, so that instances of two releases can write. */
export function union(stored: Document, wanted: Document): Document {
  const others = alternativesOf(stored).filter((alternative) => !covers(wanted, alternative))
  return others.length === 0 ? wanted : { $or: [...others, wanted] }
}

export const isSame = (one: Document, other: Document): boolean => JSON.stringify(one) === JSON.stringify(other)

/** The indexed fields of `wanted` that `stored` does not mention. */
export function newFields(wanted: Document, stored: Document): readonly string[] {
  const alternatives = alternativesOf(stored).map(fieldsOf)
  return Object.keys(fieldsOf(wanted)).filter((field) => alternatives.every((fields) => fields[field] === undefined))
}

const alternativesOf = (validator: Document): readonly Document[] => validator.$or ?? [validator]

/** True if `wide` accepts every document that `narrow` accepts. False for validators that this file did not create, unless they are equal. */
function covers(wide: Document, narrow: Document): boolean {
  if (isSame(wide, narrow) || Object.keys(wide).length === 0) return true
  const [fields, allowed] = [fieldsOf(narrow), fieldsOf(wide)]
  if (!isSame(documentValidator(fields), narrow) || !isSame(documentValidator(allowed), wide)) return false
  return Object.entries(fields).every(([field, { bsonType }]) =>
    [bsonType].flat().every((type) => [allowed[field]?.bsonType].flat().includes(type)),
  )
}

const fieldsOf = (validator: Document): Readonly<Record<string, Document>> => validator.$jsonSchema?.properties?.f?.properties ?? {}
