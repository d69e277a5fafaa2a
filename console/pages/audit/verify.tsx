import type { Output } from '../../api/procedures.js'
import { ErrorNote } from '../../ui/notes.js'
import { Facts, Section } from '../../ui/page.js'
import { Code } from '../../ui/text.js'
import { usePages } from './use-pages.js'

type Verified = Output<'audit.verify'>

const added = (sum: Verified | undefined, page: Verified): Verified =>
  sum === undefined
    ? page
    : {
        links: sum.links + page.links,
        rows: sum.rows + page.rows,
        removed: sum.removed + page.removed,
        anchors: sum.anchors + page.anchors,
        broken: [...sum.broken, ...page.broken],
        brokenAnchors: [...sum.brokenAnchors, ...page.brokenAnchors],
      }

/** Has the registry check its hash chains, and their anchors in the trust log, page by page. */
export function VerifyAudit() {
  const { sum, isRunning, isDone, error, run, stop } = usePages('audit.verify', {}, added)
  const isBroken = sum !== undefined && sum.broken.length + sum.brokenAnchors.length > 0
  return (
    <Section title="Chain check">
      <p>
        Each row is in a hash chain, and the chains are anchored in the <a href="/console/log">trust log</a>: the check detects rows that
        were changed, removed or added later. It covers the whole registry.
      </p>
      <button type="button" class="quiet" onClick={run} disabled={isRunning}>
        Check the chains
      </button>
      {isRunning && (
        <button type="button" class="quiet" onClick={stop}>
          Stop
        </button>
      )}
      <output>{isRunning ? 'Checking…' : isDone && (isBroken ? 'The chains are broken.' : 'The chains are intact.')}</output>
      {sum && (
        <Facts
          of={{
            'rows checked': sum.rows,
            'chain links': sum.links,
            'removed by retention': sum.removed,
            'anchors compared': sum.anchors,
          }}
        />
      )}
      {sum && isBroken && (
        <ul role="alert">
          {sum.broken.map(({ writer, link, isRemovedEarly }) => (
            <li key={`${writer} ${link}`}>
              Writer <Code>{writer}</Code>, link {link}:{' '}
              {isRemovedEarly ? 'rows are missing before the end of their retention' : 'does not match its rows'}
            </li>
          ))}
          {sum.brokenAnchors.map((number) => (
            <li key={number}>Anchor {number} does not match the trust log</li>
          ))}
        </ul>
      )}
      <ErrorNote error={error} />
    </Section>
  )
}
