import type { Command } from 'commander'
import type { VerifiedAudit } from '../../audit/verify.js'
import { type CommonFlags, openAgent, print } from '../context.js'

/** `audit verify`: the whole walk, stretch by stretch; exit code 1 where a chain is broken. */
export function auditVerifyCommand(audit: Command, common: (command: Command) => Command): void {
  // Its parent takes the same options, and with them what stands here.
  common(audit.command('verify'))
    .description('whether a row was changed, removed, added or moved since it was linked')
    .action((_: CommonFlags, command: Command) => verify(command.optsWithGlobals<CommonFlags>()))
}

async function verify(flags: CommonFlags): Promise<void> {
  const { agent } = await openAgent(flags)
  let whole: VerifiedAudit = { links: 0, rows: 0, broken: [] }
  let cursor: string | undefined
  do {
    const part: VerifiedAudit = await agent.query('audit.verify', cursor === undefined ? {} : { cursor })
    whole = { links: whole.links + part.links, rows: whole.rows + part.rows, broken: [...whole.broken, ...part.broken] }
    cursor = part.cursor
  } while (cursor !== undefined)
  print(flags, { verified: whole.broken.length === 0, ...whole })
  if (whole.broken.length > 0) process.exitCode = 1
}
