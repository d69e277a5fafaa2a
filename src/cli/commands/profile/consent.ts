import type { Command } from 'commander'
import type { ConsentView } from '../../../delegation/consents/view.js'
import type { FamilyView } from '../../../oauth/families/manage.js'
import { type CommonFlags, call, definedIn, endingOptions, type ListFlags, listOptions, openAgent, showOptions } from '../../context.js'
import { callEnding } from '../../endings/confirm.js'
import { endingOfConsent, endingOfFamily } from '../../endings/describe.js'
import { type ListView, list, showOne } from '../../lists/list.js'
import { consentClientIdOf, memberIdOf } from '../../names.js'
import { type NarrowFlags, narrowingOf, narrowOptions } from '../../narrowing.js'

const CONSENTS: ListView<ConsentView> = {
  path: 'consents.list',
  columns: [
    { name: 'id', value: ({ consentId }) => consentId, kind: 'id' },
    { name: 'client', value: ({ client }) => client },
    { name: 'audience', value: ({ audience }) => audience },
    { name: 'scopes', value: ({ rights }) => rights.map(({ scope }) => scope) },
    { name: 'state', value: ({ state }) => state, kind: 'state' },
    { name: 'until', value: ({ until }) => until, kind: 'time' },
    { name: 'last used', value: ({ lastUsedAt }) => lastUsedAt, kind: 'time' },
    { name: 'task', value: ({ taskId }) => taskId, kind: 'detail' },
    { name: 'person', value: ({ memberId, personId }) => memberId ?? personId, kind: 'detail' },
  ],
  fields: {
    consentId: true,
    state: true,
    memberId: true,
    personId: true,
    client: true,
    audience: true,
    rights: true,
    tools: true,
    resources: true,
    delegation: true,
    taskId: true,
    grantedAt: true,
    until: true,
    uses: true,
    lastUsedAt: true,
    handles: true,
    endedAt: true,
    endedBy: true,
    reason: true,
    note: true,
  },
}

const FAMILIES: ListView<FamilyView> = {
  path: 'families.list',
  columns: [
    { name: 'id', value: ({ familyId }) => familyId, kind: 'id' },
    { name: 'client', value: ({ client }) => client },
    { name: 'audiences', value: ({ grants }) => grants.map(({ audience }) => audience) },
    { name: 'state', value: ({ state }) => state, kind: 'state' },
    { name: 'until', value: ({ until }) => until, kind: 'time' },
    { name: 'last used', value: ({ lastUsedAt }) => lastUsedAt, kind: 'time' },
    { name: 'task', value: ({ taskId }) => taskId, kind: 'detail' },
    { name: 'person', value: ({ memberId, personId }) => memberId ?? personId, kind: 'detail' },
  ],
  fields: {
    familyId: true,
    state: true,
    memberId: true,
    personId: true,
    client: true,
    grants: true,
    taskId: true,
    createdAt: true,
    until: true,
    lastUsedAt: true,
    handles: true,
    endedAt: true,
    endedBy: true,
    reason: true,
    note: true,
  },
}

interface FamilyListFlags extends ListFlags {
  readonly member?: string
  readonly client?: string
  readonly consent?: string
}
interface ConsentListFlags extends ListFlags {
  readonly member?: string
  readonly client?: string
  readonly audience?: string
}
/** `credence consent …`. */
export function consentCommands(program: Command, common: (command: Command) => Command): void {
  const consent = program.command('consent').description('list, show, narrow and revoke what people have allowed clients to do for them')
  listOptions(consent.command('list'))
    .description('list consents, newest first: your own, those of another member, or those to a client')
    .option('--member <member>', 'another member (id or name), for administrators')
    .option('--client <client>', 'an agent, by id or name, or an external client, by id')
    .option('--audience <uri>', 'only consents for this audience')
    .action(async ({ member, client, audience, ...flags }: ConsentListFlags) => {
      const { agent } = await openAgent(flags)
      const input = {
        ...(member !== undefined && { memberId: await memberIdOf(agent, member) }),
        ...(client !== undefined && { client: await consentClientIdOf(agent, client) }),
      }
      return list(flags, CONSENTS, { ...input, ...definedIn({ audience }) })
    })
  showOptions(consent.command('show <consent>'))
    .description('show one consent, with its last use')
    .action((consentId: string, flags: CommonFlags) => showOne(flags, 'consents.get', { consentId }, CONSENTS))
  narrowOptions(common(consent.command('narrow <consent>')))
    .description('keep only a part of a consent; tokens that were issued under it end')
    .action(async (consentId: string, flags: NarrowFlags) => call(flags, 'mutate', 'consents.narrow', { consentId, ...narrowingOf(flags) }))
  endingOptions(common(consent.command('revoke <consent>')))
    .description('permanently revoke a consent with every token for the person under it')
    .action((consentId: string, flags: CommonFlags) =>
      callEnding(flags, 'consents.revoke', { inputOf: async () => ({ consentId }), describe: endingOfConsent }),
    )
}

/** `credence family …`. */
export function familyCommands(program: Command, common: (command: Command) => Command): void {
  const family = program
    .command('family')
    .description('list and revoke families of refresh tokens, with which clients act for people without asking them again')
  listOptions(family.command('list'))
    .description(
      'list families of refresh tokens, newest first, with their last use: your own, those of another member, of a client, or under a consent',
    )
    .option('--member <member>', 'another member (id or name), for administrators')
    .option('--client <client>', 'an agent, by id or name, or an external client, by id')
    .option('--consent <consent>', 'only families under this consent')
    .action(async ({ member, client, consent, ...flags }: FamilyListFlags) => {
      const { agent } = await openAgent(flags)
      const input = {
        ...(member !== undefined && { memberId: await memberIdOf(agent, member) }),
        ...(client !== undefined && { clientId: await consentClientIdOf(agent, client) }),
      }
      return list(flags, FAMILIES, { ...input, ...definedIn({ consentId: consent }) })
    })
  endingOptions(common(family.command('revoke <family>')))
    .description('permanently revoke a family of refresh tokens and every token issued with it; the consents stay valid')
    .action((familyId: string, flags: CommonFlags) =>
      callEnding(flags, 'families.revoke', { inputOf: async () => ({ familyId }), describe: endingOfFamily }),
    )
}
