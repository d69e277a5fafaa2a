import type { Command } from 'commander'
import { type Config, parseDataConfig } from '../server/config.js'

/** Flags of every command that works on the data of a registry. */
export interface StoreFlags {
  readonly config?: string
  readonly data?: string
  readonly store?: string
  readonly json?: boolean
}

export const storeFlags = (command: Command): Command =>
  command
    .option('--config <file>', 'as the server has it')
    .option('--data <folder>', 'data directory (default .credence)')
    .option('--store <url>', 'mongodb://…/<database>, as the server has it')
    .option('--json', 'print JSON')

/** `others` are settings under their own names; those that are undefined count for nothing. */
export const configOf = ({ config: file, data: dataDirectory, store }: StoreFlags, others: object = {}): Config =>
  parseDataConfig(Object.fromEntries(Object.entries({ dataDirectory, store, ...others }).filter(([, value]) => value !== undefined)), file)
