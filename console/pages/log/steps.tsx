import { Facts } from '../../ui/page.js'
import { Code } from '../../ui/text.js'
import type { Step } from './check.js'

const CLASSES: Readonly<Record<Step['outcome'], string>> = { proved: 'good', wrong: 'ended', unknown: 'waiting' }

/** Checks with their results, and the hashes that they compared. */
export const Steps = ({ steps }: { readonly steps: readonly Step[] }) => (
  <ol class="items">
    {steps.map((step) => (
      <li key={step.title}>
        <strong>{step.title}</strong> <span class={`state ${CLASSES[step.outcome]}`}>{step.outcome}</span>
        {step.text !== undefined && <p role={step.outcome === 'wrong' ? 'alert' : undefined}>{step.text}</p>}
        {step.facts && (
          <Facts of={Object.fromEntries(Object.entries(step.facts).map(([name, text]) => [name, <Code key={name}>{text}</Code>]))} />
        )}
        {step.path && step.path.length > 0 && <Path steps={step.path} />}
      </li>
    ))}
  </ol>
)

const Path = ({ steps }: { readonly steps: NonNullable<Step['path']> }) => (
  <details>
    <summary>The path to the root, {steps.length} steps</summary>
    <ol>
      {steps.map(({ side, sibling, hash }) => (
        <li key={hash}>
          with <Code>{sibling}</Code> on the {side}: <Code>{hash}</Code>
        </li>
      ))}
    </ol>
  </details>
)
