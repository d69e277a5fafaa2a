import { z } from 'zod'
import { creationFor, procedureFor, router } from '../../http/trpc/procedures.js'
import { WebhookId } from '../../protocol/ids.js'
import { listWebhooks, removeWebhook, setWebhook, type WebhookDeps } from './manage.js'
import { WebhookEvents } from './store.js'

const ADMINISTRATORS = ['administrator', 'operator'] as const

export const webhooksRoutes = (deps: WebhookDeps) =>
  router({
    set: creationFor('introductions:write', ADMINISTRATORS)
      .input(z.strictObject({ url: z.string().min(1).max(2048), events: WebhookEvents.optional() }))
      .mutation(({ ctx, input }) => setWebhook(deps, ctx.caller, input)),
    list: procedureFor('introductions:write', ADMINISTRATORS).query(({ ctx }) => listWebhooks(deps, ctx.caller)),
    remove: procedureFor('introductions:write', ADMINISTRATORS)
      .input(z.strictObject({ webhookId: WebhookId }))
      .mutation(({ ctx, input }) => removeWebhook(deps, ctx.caller, input.webhookId)),
  })
