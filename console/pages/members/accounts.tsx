import { useConsole } from '../../api/console.js'
import { useAction } from '../../api/use-action.js'
import { useWholeList } from '../../api/use-whole-list.js'
import { RevokeButton, shortId } from '../../ui/dialogs/revoke-button.js'
import { useDone } from '../../ui/done.js'
import { Items } from '../../ui/items.js'
import { Code, Foreign, Time } from '../../ui/text.js'

interface AccountsProps {
  readonly memberId: string
  readonly orgId: string
  readonly isOwn: boolean
}

/** The accounts of a member at the OpenID Providers of its organisation. */
export function Accounts({ memberId, orgId, isOwn }: AccountsProps) {
  const { viewer } = useConsole()
  const list = useWholeList('links.list', { memberId })
  // A person may not list the providers, and sees their ids
  const providers = useWholeList('issuers.list', viewer.role === 'person' ? undefined : { orgId })
  const revoke = useAction('links.revoke', ['links', 'sessions', 'consents'])
  const [done, say] = useDone()
  return (
    <>
      {done}
      <Items
        list={list}
        idOf={({ linkId }) => linkId}
        item={({ linkId, issuerId, linkedAt }) => (
          <>
            <ProviderName issuerId={issuerId} url={providers.items.find((one) => one.issuerId === issuerId)?.url} />
            <p class="hint">
              <Code>{linkId}</Code>, linked <Time at={linkedAt} />
            </p>
            <RevokeButton
              label={`Revoke the link ${linkId}`}
              title="Revoke the link"
              name={shortId(linkId)}
              id={linkId}
              action={revoke}
              revoke={(because) => revoke.run({ linkId, ...because })}
              onDone={() => say(`The link ${shortId(linkId)}… is revoked, with the sessions and consents that came from it.`)}
            >
              <p>The sessions that the account opened end, and the consents that were given in them.</p>
              <p>The person must link the account again before signing in with it.</p>
            </RevokeButton>
          </>
        )}
        empty={
          <p>
            No account. {isOwn ? <a href="/you">Your account</a> : 'The page “Your account” of the member'} links one, if the organisation
            has a sign-in provider.
          </p>
        }
      />
    </>
  )
}

const ProviderName = ({ issuerId, url }: { readonly issuerId: string; readonly url: string | undefined }) =>
  url === undefined ? <Code>{issuerId}</Code> : <Foreign text={url} />
