import { useLocation } from 'preact-iso'
import { useList } from '../../api/use-query.js'
import { Empty } from '../../ui/notes.js'
import { Page, Section } from '../../ui/page.js'
import { Rows } from '../../ui/rows.js'
import { Command } from '../../ui/text.js'
import { Export } from './export.js'
import { auditHref, filterOf } from './filter.js'
import { Filters } from './filters.js'
import { Retention } from './retention.js'
import { RowDetails, RowSummary } from './row.js'
import { VerifyAudit } from './verify.js'

/** The audit rows of the organisation: who did what, when and why. */
export function Audit() {
  const { query, route } = useLocation()
  const filter = filterOf(query)
  const list = useList('audit.list', filter, ({ auditId }) => auditId)
  const hrefOf = ({ auditId }: { readonly auditId: string }) => auditHref({ ...filter, row: auditId })
  const open = list.items.find(({ auditId }) => auditId === query.row)
  const isFiltered = Object.keys(filter).length > 0
  // A dialogue also closes when a link in it leads elsewhere
  const close = () => new URLSearchParams(location.search).has('row') && route(auditHref({ ...filter }), true)
  return (
    <Page title="Audit" actions={<Export filter={filter} />}>
      <Filters filter={filter} />
      <Section title="Rows, newest first">
        <Rows
          label="Audit rows"
          list={list}
          idOf={({ auditId }) => auditId}
          hrefOf={hrefOf}
          row={(row) => <RowSummary row={row} href={hrefOf(row)} />}
          empty={
            <Empty>
              <p>
                {isFiltered
                  ? 'No row matches these filters. Remove a filter, or query from the command line:'
                  : 'The audit log is empty. From the command line:'}
              </p>
              <Command text="credence audit --since 30d" />
            </Empty>
          }
        />
      </Section>
      {open && <RowDetails row={open} onClose={close} />}
      <VerifyAudit />
      <Retention />
    </Page>
  )
}
