import { useConsole } from '../../api/console.js'
import type { Item } from '../../api/procedures.js'
import { useQuery } from '../../api/use-query.js'
import { Dialog } from '../../ui/dialogs/dialog.js'
import { Facts } from '../../ui/page.js'
import { Code, Foreign, Name, Time } from '../../ui/text.js'
import { auditHref } from './filter.js'

type AuditItem = Item<'audit.list'>

const PAGES: Readonly<Record<string, string>> = {
  agt: 'agents',
  mem: 'members',
  tsk: 'tasks',
  int: 'introductions',
  cns: 'consents',
  res: 'resources',
}

/** The thing that an id names, with a link to its page if it has one. */
function Thing({ id }: { readonly id: string }) {
  const { viewer } = useConsole()
  if (/^agt_/.test(id) || id === viewer.id) return <Name id={id} />
  const page = PAGES[id.slice(0, 3)]
  return page === undefined || !/^[a-z]{3}_/.test(id) ? (
    <Code>{id}</Code>
  ) : (
    <a href={`/console/${page}/${id}`}>
      <Code>{id}</Code>
    </a>
  )
}

export const Outcome = ({ outcome }: Pick<AuditItem, 'outcome'>) => (
  <span class={`state ${outcome === 'done' ? 'good' : 'ended'}`}>{outcome}</span>
)

/** A row of the list. `href` opens its details. */
export const RowSummary = ({ row, href }: { readonly row: AuditItem; readonly href: string }) => (
  <>
    <a href={href}>{row.action}</a>
    {row.outcome === 'refused' && <Outcome outcome={row.outcome} />}
    {row.reason !== undefined && <Code>{row.reason}</Code>}
    <span>
      by <Thing id={row.actor} />
    </span>
    {row.subject !== undefined && (
      <span>
        on <Thing id={row.subject} />
      </span>
    )}
    {row.note !== undefined && <Foreign text={row.note} />}
    <span class="hint">
      <Time at={row.createdAt} />
    </span>
  </>
)

const FACT_LABELS: Readonly<Record<string, string>> = { changed: 'changed', added: 'rights added', removed: 'rights removed' }

/** Everything that a row says: who, what, when, why. */
export function RowDetails({ row, onClose }: { readonly row: AuditItem; readonly onClose: () => void }) {
  const { facts = {} } = row
  const changed = Object.entries(facts).map(([name, value]) => [FACT_LABELS[name] ?? name, <Foreign key={name} text={String(value)} />])
  return (
    <Dialog title={row.action} onClose={onClose}>
      <Facts
        of={{
          when: <Time at={row.createdAt} />,
          who: <Thing id={row.actor} />,
          outcome: <Outcome outcome={row.outcome} />,
          'refused because': row.reason && <Code>{row.reason}</Code>,
          'done to': row.subject && <Thing id={row.subject} />,
          why: row.note && <Foreign text={row.note} />,
          'reason code': row.endReason && <Code>{row.endReason}</Code>,
          task: row.taskId && <Thing id={row.taskId} />,
          token: row.tokenId && <Code>{row.tokenId}</Code>,
          ...Object.fromEntries(changed),
          row: <Code>{row.auditId}</Code>,
        }}
      />
      {row.tokenId !== undefined && <ForWhom tokenId={row.tokenId} />}
      <ul>
        <li>
          <a href={auditHref({ actor: row.actor })}>Everything that this actor did</a>
        </li>
        {row.subject !== undefined && (
          <li>
            <a href={auditHref({ subject: row.subject })}>Everything done to it</a>
          </li>
        )}
        {row.tokenId !== undefined && (
          <li>
            <a href={auditHref({ tokenId: row.tokenId })}>Everything done with this token</a>
          </li>
        )}
        {row.taskId !== undefined && (
          <li>
            <a href={auditHref({ taskId: row.taskId })}>Everything done for this task</a>
          </li>
        )}
      </ul>
      <button type="button" class="quiet" onClick={onClose}>
        Close
      </button>
    </Dialog>
  )
}

/** The subject of the token with which it was done, and what the token was for. Tokens are forgotten some time after they have expired. */
function ForWhom({ tokenId }: { readonly tokenId: string }) {
  const { data } = useQuery('tokens.lineage', { tokenId })
  const token = data?.nodes.find((node) => node.tokenId === tokenId)
  return (
    token && (
      <Facts
        of={{
          'for whom': <Name id={token.sub} />,
          'at whom': <Name id={token.audience} />,
          scopes: <Foreign text={token.scope} />,
          'acted through': token.act.length > 0 && token.act.map((actor) => <Name key={actor} id={actor} />),
        }}
      />
    )
  )
}
