import type { Command } from 'commander'
import type { MigrationStep } from '../../../operations/migrate.js'
import { print, printLines } from '../../output.js'
import { adminLog } from './admin-log.js'

interface MigrateFlags {
  readonly store: string
  readonly apply?: boolean
  readonly finish?: boolean
  readonly json?: boolean
}

/** `credence admin migrate`. */
export function adminMigrate(admin: Command): void {
  admin
    .command('migrate')
    .description('print the changes that a MongoDB deployment needs before this version can use it; --apply makes them while instances run')
    .requiredOption('--store <url>', 'mongodb://…/<database>')
    .option('--apply', 'carry out the plan')
    .option('--finish', 'also carry out the steps after which older instances can no longer run')
    .option('--json', 'print JSON')
    .action(async ({ store, apply = false, finish = false, json = false }: MigrateFlags) => {
      const say = (text: string) => json || printLines(text)
      const onStep = (step: MigrationStep) => say(`done       ${lineOf(step)}`)
      const { migrateDeployment } = await import('../../../operations/migrate.js')
      const plan = await migrateDeployment({ url: store, apply, finish, onStep, warn: adminLog.warn })
      if (json) return print({ json }, { ...plan, isApplied: apply })
      say(`schema     ${plan.from ?? '(empty)'} → ${plan.to}, older instances running: ${plan.olderInstances}`)
      const left = apply && finish ? [] : plan.steps.filter(({ isSafe }) => !apply || !isSafe)
      for (const step of left) say(`${step.isSafe ? 'to do     ' : '--finish  '} ${lineOf(step)}`)
      if (plan.steps.length === 0) say('nothing to do')
      else if (!apply) say('nothing was changed; run the command again with --apply to carry out the plan')
    })
}

const lineOf = ({ kind, collection, text }: MigrationStep): string => `${kind.padEnd(8)} ${collection}: ${text}`
