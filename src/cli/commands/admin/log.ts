import { type Log, silentLog } from '../../../lib/log.js'

/** What an administrator has to know beside the result: on standard error. */
export const adminLog: Log = {
  ...silentLog,
  warn: (text, facts = {}) => {
    const told = Object.entries(facts).map(([name, value]) => ` ${name}=${value}`)
    process.stderr.write(`warning: ${text}${told.join('')}\n`)
  },
}
