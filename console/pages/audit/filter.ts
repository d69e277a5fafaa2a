import type { Input } from '../../api/procedures.js'

export type AuditFilter = Pick<
  Input<'audit.list'> & object,
  'actor' | 'action' | 'subject' | 'taskId' | 'tokenId' | 'outcome' | 'from' | 'until'
>

const TEXT_FILTERS = ['actor', 'action', 'subject', 'taskId', 'tokenId', 'outcome'] as const
const TIME_FILTERS = ['from', 'until'] as const
type Query = Readonly<Record<string, string | undefined>>

/** The filter in the address: `?actor=…&from=<epoch seconds>`. The server refuses values that are wrong. */
export function filterOf(query: Query): AuditFilter {
  const texts = TEXT_FILTERS.flatMap((name) => (query[name] ? [[name, query[name]]] : []))
  const times = TIME_FILTERS.flatMap((name) => (/^\d{1,12}$/.test(query[name] ?? '') ? [[name, Number(query[name])]] : []))
  return Object.fromEntries([...texts, ...times]) as AuditFilter // each name has its type
}

/** The address of the audit with a filter. */
export function auditHref(filter: Readonly<Record<string, string | number | undefined>>): string {
  const given = Object.entries(filter).flatMap(([name, value]) => (value === undefined || value === '' ? [] : [[name, String(value)]]))
  return given.length === 0 ? '/console/audit' : `/console/audit?${new URLSearchParams(given)}`
}
