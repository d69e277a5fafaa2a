import { isJsonObject, readJson } from '../../../src/lib/json.js'
import { pointerOf } from '../../../src/lib/json-pointer.js'
import type { CardView, Verdict } from '../../../src/protocol/cards/card-view.js'
import { Facts, Section } from '../../ui/page.js'
import { Code, Foreign, State, Time } from '../../ui/text.js'
import { VERDICTS } from '../../ui/words.js'

const IS_SIGNED: readonly Verdict['state'][] = ['signed', 'verified', 'stale', 'revoked']

/** The verdict of the registry: what of the public card is signed, by whom, and since when. */
export function Signatures({ view: { facts, publicCard, proof } }: { readonly view: CardView }) {
  const { verdict } = facts
  const { namespace } = verdict
  const registeredAt = proof?.entry.time
  return (
    <Section title="What is signed">
      <p>
        <State state={verdict.state} /> {VERDICTS[verdict.state]}
      </p>
      <Facts
        of={{
          'Signed by': verdict.signedBy === 'agent' ? 'a key of the agent' : verdict.signedBy && 'a key of the organisation',
          Key: verdict.thumbprint && <Code>{verdict.thumbprint}</Code>,
          'Key registered': registeredAt && <Time at={registeredAt} />,
          'Version published': <Time at={facts.publishedAt} />,
          Checked: <Time at={verdict.checkedAt} />,
          'Signed parts expire': facts.expiresAt && <Time at={facts.expiresAt} />,
          'DNS name': namespace && (
            <>
              <Code>{namespace.name}</Code> proved <Time at={namespace.provedAt} />, covers <Code>{namespace.host}</Code>
            </>
          ),
        }}
      />
      {verdict.hints.length > 0 && (
        <ul>
          {verdict.hints.map((hint) => (
            <li key={hint}>
              <Foreign text={hint} />
            </li>
          ))}
        </ul>
      )}
      <Coverage publicCard={publicCard} verdict={verdict} />
    </Section>
  )
}

/** Each member of the public card, and whether a signature covers it. */
function Coverage({ publicCard, verdict: { state, uncovered } }: { readonly publicCard: string; readonly verdict: Verdict }) {
  const read = readJson(publicCard)
  const members = 'value' in read && isJsonObject(read.value) ? Object.keys(read.value).filter((name) => name !== 'signatures') : []
  const coverageOf = (name: string) => {
    const pointer = pointerOf([name])
    if (!IS_SIGNED.includes(state) || uncovered.includes('') || uncovered.includes(pointer)) return 'not signed'
    const within = uncovered.filter((one) => one.startsWith(`${pointer}/`))
    return within.length === 0 ? 'signed' : within
  }
  return (
    <table>
      <caption class="hint">The members of the public card</caption>
      <thead>
        <tr>
          <th scope="col">Member</th>
          <th scope="col">Signature</th>
        </tr>
      </thead>
      <tbody>
        {members.map((name) => {
          const coverage = coverageOf(name)
          return (
            <tr key={name}>
              <th scope="row">
                <Foreign text={name} />
              </th>
              <td>{typeof coverage === 'string' ? <State state={coverage} /> : <Partly uncovered={coverage} />}</td>
            </tr>
          )
        })}
      </tbody>
    </table>
  )
}

const Partly = ({ uncovered }: { readonly uncovered: readonly string[] }) => (
  <>
    <State state="signed" />, except{' '}
    {uncovered.map((pointer) => (
      <span key={pointer}>
        <Foreign text={pointer} />{' '}
      </span>
    ))}
  </>
)
