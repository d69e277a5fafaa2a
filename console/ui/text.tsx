import type { ComponentChildren } from 'preact'
import { Foreign } from '../../src/http/pages/foreign.js'
import { Name } from './names/name.js'

const FORMAT = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' })

/** A time in epoch seconds, in the zone of the viewer. */
export function Time({ at }: { readonly at: number | undefined }) {
  if (at === undefined) return <>–</>
  const date = new Date(at * 1000)
  return (
    <time dateTime={date.toISOString()} title={date.toISOString()}>
      {FORMAT.format(date)}
    </time>
  )
}

/** A state, such as `active`. Its colour only repeats the word. */
export function State({ state }: { readonly state: string }) {
  return <span class={`state ${CLASSES[state] ?? ''}`}>{state}</span>
}

const CLASSES: Readonly<Record<string, string>> = {
  active: 'good',
  valid: 'good',
  granted: 'good',
  proved: 'good',
  signed: 'good',
  verified: 'good',
  current: 'good',
  same: 'good',
  reachable: 'good',
  signing: 'good',
  pending: 'waiting',
  failing: 'waiting',
  unproved: 'waiting',
  frozen: 'waiting',
  retiring: 'waiting',
  needsApproval: 'waiting',
  paused: 'waiting',
  suspended: 'waiting',
  registered: 'waiting',
  retired: 'waiting',
  revoked: 'ended',
  lapsed: 'ended',
  removed: 'ended',
  ended: 'ended',
  denied: 'ended',
  expired: 'ended',
  yanked: 'ended',
  unpublished: 'ended',
  invalid: 'ended',
}

/** An id, or another text of the registry itself. */
export const Code = ({ children }: { readonly children: ComponentChildren }) => <code>{children}</code>

export { Command } from './command.js'
export { Foreign, Name }
