import { useState } from 'preact/hooks'
import type { Item } from '../../api/procedures.js'
import { useAction } from '../../api/use-action.js'
import { useQuery } from '../../api/use-query.js'
import { Dialog } from '../../ui/dialogs/dialog.js'
import { Field, Tick } from '../../ui/forms/fields.js'
import { Empty, ErrorNote, Result } from '../../ui/notes.js'
import { Section } from '../../ui/page.js'
import { Command, Foreign, Name, Time } from '../../ui/text.js'

type Webhook = Item<'webhooks.list'>
type WebhookEvent = NonNullable<Webhook['events']>[number]

const EVENTS: Readonly<Record<WebhookEvent, string>> = {
  'introduction.requested': 'an introduction was requested',
  'introduction.needsApproval': 'an introduction waits for your decision',
  'introduction.granted': 'an introduction was granted',
  'introduction.denied': 'an introduction was denied',
  'approval.requested': 'an approval waits for your decision',
  'approval.granted': 'an approval was granted',
  'approval.denied': 'an approval was denied',
  'approval.ended': 'an approval was withdrawn or expired',
}
const NAMES = Object.keys(EVENTS) as WebhookEvent[] // the keys of the table

/** The URLs that get the notifications of the organisation. */
export function Webhooks() {
  const webhooks = useQuery('webhooks.list', {})
  const [removes, setRemoves] = useState<Webhook>()
  return (
    <Section title="Webhooks">
      <Result of={webhooks}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty>
              <p>Your organisation has no webhook. Add one below, or:</p>
              <Command text="credence api webhooks.set '{&quot;url&quot;:&quot;https://…&quot;}'" />
            </Empty>
          ) : (
            <ul class="items">
              {items.map((webhook) => (
                <li key={webhook.webhookId}>
                  <WebhookRow webhook={webhook} />{' '}
                  <button type="button" class="quiet small" onClick={() => setRemoves(webhook)}>
                    Remove<span class="hint"> {webhook.url}</span>
                  </button>
                </li>
              ))}
            </ul>
          )
        }
      </Result>
      <AddWebhook />
      {removes && <RemoveWebhook webhook={removes} onClose={() => setRemoves(undefined)} />}
    </Section>
  )
}

const WebhookRow = ({
  webhook: { url, state, events, createdBy, createdAt, lastDeliveredAt, failingSince, offSince },
}: {
  readonly webhook: Webhook
}) => (
  <>
    <Foreign text={url} /> <span class={`state ${state === 'on' ? 'good' : 'ended'}`}>{state}</span>{' '}
    <span class="hint">
      {events === undefined ? 'all events' : events.map((event) => EVENTS[event]).join(', ')}; added by <Name id={createdBy} />{' '}
      <Time at={createdAt} />; last delivered <Time at={lastDeliveredAt} />
      {failingSince !== undefined && (
        <>
          ; fails since <Time at={failingSince} />
        </>
      )}
      {offSince !== undefined && (
        <>
          ; off since <Time at={offSince} />: add it again to switch it on
        </>
      )}
    </span>
  </>
)

function AddWebhook() {
  const set = useAction('webhooks.set', ['webhooks'])
  const [url, setUrl] = useState('')
  const [events, setEvents] = useState<readonly WebhookEvent[]>(NAMES)
  const save = async (event: Event) => {
    event.preventDefault()
    const all = events.length === NAMES.length
    if ((await set.run({ url, ...(!all && { events: [...events] }) })) !== undefined) setUrl('')
  }
  const tick = (name: WebhookEvent, isTicked: boolean) => setEvents(isTicked ? [...events, name] : events.filter((one) => one !== name))
  return (
    <form onSubmit={save}>
      <h3>Add or change a webhook</h3>
      <Field label="URL" name="url" hint="Its messages are signed with the key of the registry" value={url} onInput={setUrl} required />
      <fieldset>
        <legend>Sent when</legend>
        {NAMES.map((name) => (
          <Tick key={name} checked={events.includes(name)} onChange={(isTicked) => tick(name, isTicked)}>
            {EVENTS[name]}
          </Tick>
        ))}
      </fieldset>
      <ErrorNote error={set.error} />
      <button type="submit" disabled={set.isRunning || events.length === 0}>
        Add the webhook
      </button>
    </form>
  )
}

function RemoveWebhook({ webhook, onClose }: { readonly webhook: Webhook; readonly onClose: () => void }) {
  const remove = useAction('webhooks.remove', ['webhooks'])
  const confirm = async () => {
    if ((await remove.run({ webhookId: webhook.webhookId })) !== undefined) onClose()
  }
  return (
    <Dialog title="Remove the webhook" onClose={onClose}>
      <p>
        <Foreign text={webhook.url} /> receives no further messages, including those that are waiting for delivery.
      </p>
      <ErrorNote error={remove.error} />
      <button type="button" class="danger" onClick={confirm} disabled={remove.isRunning}>
        Remove
      </button>
      <button type="button" class="quiet" onClick={onClose}>
        Cancel
      </button>
    </Dialog>
  )
}
