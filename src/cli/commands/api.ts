import type { Command } from 'commander'
import { isJsonObject, parseJson } from '../../lib/json.js'
import { type CommonFlags, openAgent, textOfFile } from '../context.js'
import { refuseUsage } from '../errors.js'
import { print, withProgress } from '../output.js'

/** `credence api <procedure>`. */
export function apiCommand(program: Command, common: (command: Command) => Command): void {
  common(program.command('api <procedure> [input]'))
    .description('call any procedure of docs/API.md with a JSON input (- reads standard input) and print its result as JSON')
    .action(async (procedure: string, input: string | undefined, flags: CommonFlags) => {
      const kind = await kindOf(procedure)
      const value = inputOf(input)
      const { agent } = await openAgent(flags)
      print({ json: true }, await withProgress(procedure, () => agent[kind](procedure, value)))
    })
}

/** Finds out whether a procedure is a query or a mutation. Loading the router takes a moment, so only this command does it. */
async function kindOf(path: string): Promise<'query' | 'mutate'> {
  const { describedProcedures } = await import('../../server/api/openapi.js')
  const procedures = describedProcedures()
  const found = procedures.find((one) => one.path === path)
  if (found?.type === 'subscription')
    refuseUsage(`${path} is a subscription: use agent.subscribe or agent.introductions.watch of credence/client`)
  if (found !== undefined) return found.type === 'query' ? 'query' : 'mutate'
  const group = path.split('.')[0]
  const near = procedures.filter((one) => one.path.split('.')[0] === group).map((one) => one.path)
  return refuseUsage(`no procedure is named ${path} (${near.length > 0 ? near.join(', ') : 'docs/API.md lists all'})`)
}

function inputOf(text = '{}'): object {
  try {
    const value = parseJson(text === '-' ? textOfFile('-') : text)
    if (isJsonObject(value)) return value
  } catch (error) {
    if (!(error instanceof Error)) throw error
    return refuseUsage(`the input is not JSON: ${error.message}`)
  }
  return refuseUsage('the input is not a JSON object')
}
