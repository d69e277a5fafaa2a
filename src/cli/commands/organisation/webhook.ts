import { type Command, Option } from 'commander'
import type { WebhookView } from '../../../delegation/webhooks/manage.js'
import { WebhookEvent } from '../../../delegation/webhooks/store.js'
import { type CommonFlags, call, collect, confirmationOptions, definedIn, type ListFlags, showOptions } from '../../context.js'
import { callEnding } from '../../endings/confirm.js'
import { type ListView, list } from '../../lists/list.js'

const WEBHOOKS: ListView<WebhookView> = {
  path: 'webhooks.list',
  columns: [
    { name: 'id', value: ({ webhookId }) => webhookId, kind: 'id' },
    { name: 'url', value: ({ url }) => url },
    { name: 'state', value: ({ state }) => state, kind: 'state' },
    { name: 'events', value: ({ events }) => events ?? 'all' },
    { name: 'delivered', value: ({ lastDeliveredAt }) => lastDeliveredAt, kind: 'time' },
    { name: 'failing since', value: ({ failingSince }) => failingSince, kind: 'time' },
    { name: 'created', value: ({ createdAt }) => createdAt, kind: 'time' },
    { name: 'created by', value: ({ createdBy }) => createdBy, kind: 'detail' },
  ],
  fields: {
    webhookId: true,
    url: true,
    events: true,
    state: true,
    createdAt: true,
    createdBy: true,
    lastDeliveredAt: true,
    failingSince: true,
    offSince: true,
  },
}

/** `credence webhook …`. */
export function webhookCommands(program: Command, common: (command: Command) => Command): void {
  const webhook = program.command('webhook').description('set, list and remove the webhooks of the organisation')
  common(webhook.command('set <url>'))
    .description('send the notifications of the organisation to a URL; switches a webhook on again that was switched off')
    .addOption(new Option('--event <event>', 'only this event (repeatable)').choices(WebhookEvent.options).argParser(collect))
    .action((url: string, { event: events, ...flags }: CommonFlags & { readonly event?: readonly string[] }) =>
      call(flags, 'mutate', 'webhooks.set', definedIn({ url, events })),
    )
  showOptions(webhook.command('list'))
    .description('list the webhooks of the organisation')
    .action((flags: ListFlags) => list(flags, WEBHOOKS))
  confirmationOptions(common(webhook.command('remove <webhookId>')))
    .description('remove a webhook; its messages that wait are dropped')
    .action((webhookId: string, flags: CommonFlags) =>
      callEnding(flags, 'webhooks.remove', {
        inputOf: async () => ({ webhookId }),
        describe: async () => ({ removes: `the webhook ${webhookId}` }),
      }),
    )
}
