import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Command } from 'commander'
import { expect, test } from 'vitest'
import type { z } from 'zod'
import { newProfiles } from '../../../src/cli/profile.js'
import { newProgram } from '../../../src/cli/program.js'
import { joinRegistry } from '../../../src/client/index.js'
import { newPrivateJwk, signerFromJwk } from '../../../src/credentials/jose/sign.js'
import { describedProcedures } from '../../../src/server/api/openapi.js'
import { startRegistry } from '../../registry.js'
import { runningClock } from '../../set-clock.js'
import { resultOf, runCommand } from '../command-line.js'

const leavesOf = (command: Command): readonly Command[] => [command, ...command.commands.flatMap(leavesOf)]

/** True if an issue, also one of a variant of the input, is about the cursor. */
const namesCursor = (issues: readonly z.core.$ZodIssue[]): boolean =>
  issues.some((issue) => issue.path[0] === 'cursor' || (issue.code === 'invalid_union' && issue.errors.some(namesCursor)))

test('every command that prints a page of a list has --limit and --cursor', () => {
  const lists = leavesOf(newProgram()).filter((command) => /^(list|history|search|usage|audit)$/.test(command.name()))
  const without = lists.filter(({ options }) => !['--limit', '--cursor'].every((name) => options.some(({ long }) => long === name)))
  // Webhooks, levels, sessions, passkeys, links, issuers, keys and namespaces are few, so their lists have no pages.
  expect(without.map((command) => `${command.parent?.name()} ${command.name()}`)).toEqual([
    'session list',
    'passkey list',
    'link list',
    'issuer list',
    'namespace list',
    'level list',
    'key list',
    'webhook list',
    'signing-key list',
  ])
  const paged = describedProcedures().filter(({ input }) => namesCursor(input?.safeParse({ cursor: 0 }).error?.issues ?? []))
  expect(lists.length - without.length).toBe(paged.filter(({ path }) => !['audit.verify', 'audit.export'].includes(path)).length)
})

test('a list continues with the cursor that it printed; introduction list takes the role', async () => {
  await using registry = await startRegistry({ clock: runningClock(), servers: 1 })
  const home = await mkdtemp(join(tmpdir(), 'credence-home-'))
  const { orgId, mutate } = await registry.organisation('Acme')
  const { code } = await mutate<{ code: string }>('members.invite', { orgId, role: 'administrator' })
  const privateJwk = await newPrivateJwk('ES256')
  const signer = await signerFromJwk(privateJwk)
  const { memberId } = await joinRegistry({ issuer: registry.issuer, code, name: 'at a command line', signer })
  newProfiles(home).write('default', { registry: registry.issuer, clientId: memberId, privateJwk: { ...privateJwk } })
  const run = (...args: readonly string[]) => resultOf([...args, '--home', home])
  for (const description of ['first', 'second', 'third']) await mutate('tasks.create', { description })
  const [first, requested] = await Promise.all([run('task', 'list', '--limit', '2'), run('introduction', 'list', '--role', 'from')])
  const second = await run('task', 'list', '--cursor', first.cursor)
  expect([first.items.length, second.items.length, second.cursor, requested.items]).toEqual([2, 1, undefined, []])
  await rm(home, { recursive: true })
})

test('a mistyped option prints the error and where the options are, and not the whole help', async () => {
  expect(await runCommand(['task', 'list', '--lmit', '2'])).toMatchObject({
    code: 2,
    err: expect.stringMatching(/^error: unknown option '--lmit'\n(\(Did you mean --limit\?\)\n)?Add --help to the command/),
  })
})
