import { type Log, silentLog } from '../../../lib/log.js'
import { printErrorLines } from '../../output.js'

/** Prints warnings to standard error, so that standard output holds only the result. */
export const adminLog: Log = {
  ...silentLog,
  warn: (text, facts = {}) => {
    const fields = Object.entries(facts).map(([name, value]) => ` ${name}=${value}`)
    printErrorLines(`warning: ${text}${fields.join('')}`)
  },
}
