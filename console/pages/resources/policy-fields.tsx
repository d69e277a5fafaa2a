import { Choice, Field } from '../../ui/forms/fields.js'
import type { Settings } from './resource-form.js'

type Policy = NonNullable<Settings['policy']>

const DAY_SECONDS = 86_400
const DEFAULT_DAYS = 30

const MODES = [
  ['ask', 'ask: a member decides on each introduction'],
  ['open', 'open: granted automatically, within the scopes below'],
  ['closed', 'closed: every request is refused'],
] as const

const EXTERNAL = [
  ['none', 'none'],
  ['withPerson', 'only those that act for a person'],
  ['any', 'any, also without a person'],
] as const

const PEOPLE = [
  ['organisation', 'people of this organisation and of the listed ones'],
  ['any', 'every person'],
] as const

/** Who may have tokens for a resource. */
export function PolicyFields({ policy, onChange }: { readonly policy: Policy; readonly onChange: (policy: Policy) => void }) {
  return (
    <fieldset>
      <legend>Who may call it</legend>
      <Choice
        label="Introductions of agents"
        name="mode"
        value={policy.mode}
        options={MODES}
        onChange={(value) => onChange({ ...policy, mode: chosen(MODES, value) ?? policy.mode })}
      />
      <Field
        label="Only agents of these organisations"
        name="organisations"
        value={policy.organisations?.join(' ') ?? ''}
        onInput={(text) => onChange(withList(policy, 'organisations', text))}
        hint="Ids of organisations, separated by spaces. Empty: all."
      />
      <Field
        label="Scopes that an open policy grants"
        name="policyScopes"
        value={policy.scopes?.join(' ') ?? ''}
        onInput={(text) => onChange(withList(policy, 'scopes', text))}
        hint="Separated by spaces. Empty: all."
      />
      <Field
        label="Longest introduction in days"
        name="maxDays"
        type="number"
        value={String((policy.maxSeconds ?? DEFAULT_DAYS * DAY_SECONDS) / DAY_SECONDS)}
        onInput={(text) => onChange({ ...policy, maxSeconds: Math.round(Number(text) * DAY_SECONDS) })}
        hint="At most 366."
      />
      <Choice
        label="External clients without an introduction"
        name="externalClients"
        value={policy.externalClients ?? 'none'}
        options={EXTERNAL}
        onChange={(value) => onChange({ ...policy, externalClients: chosen(EXTERNAL, value) ?? 'none' })}
      />
      <Choice
        label="People who may consent for it"
        name="people"
        value={policy.people ?? 'organisation'}
        options={PEOPLE}
        onChange={(value) => onChange({ ...policy, people: chosen(PEOPLE, value) ?? 'organisation' })}
      />
    </fieldset>
  )
}

const chosen = <V extends string>(options: readonly (readonly [V, string])[], value: string): V | undefined =>
  options.find(([option]) => option === value)?.[0]

/** The policy with a list of names, or without it. A text that is being typed keeps its last space. */
function withList(policy: Policy, name: 'organisations' | 'scopes', text: string): Policy {
  const { [name]: _, ...others } = policy
  return text.trim() === '' ? others : { ...others, [name]: text.trimStart().split(/ +/) }
}
