import { useQuery } from '../../api/use-query.js'
import { Empty, Result } from '../../ui/notes.js'
import { Section } from '../../ui/page.js'
import { Command } from '../../ui/text.js'
import { auditHref } from '../audit/filter.js'
import { RowSummary } from '../audit/row.js'

/** Refusals, reads and tokens are left out: they would fill the list. */
const isChange = ({ action, outcome }: { readonly action: string; readonly outcome: string }) =>
  outcome === 'done' && !/\.(get|list|search|token|introspect|ticket|next|lint)$/.test(action)
const LOOKED_THROUGH = 100
const SHOWN = 10

/** The newest changes, for those who may read the audit. */
export function Changes() {
  const rows = useQuery('audit.list', { limit: LOOKED_THROUGH })
  return (
    <Section title="What changed">
      <Result of={rows}>
        {({ items }) => {
          const changes = items.filter(isChange).slice(0, SHOWN)
          return changes.length === 0 ? (
            <Empty>
              <p>Nothing changed lately. Earlier changes:</p>
              <Command text="credence audit --since 30d" />
            </Empty>
          ) : (
            <ul class="items">
              {changes.map((row) => (
                <li key={row.auditId} class="line">
                  <RowSummary row={row} href={auditHref({ action: row.action, subject: row.subject, row: row.auditId })} />
                </li>
              ))}
            </ul>
          )
        }}
      </Result>
      <p>
        <a href="/console/audit">The whole audit</a>
      </p>
    </Section>
  )
}
