import type { Command } from 'commander'
import { type Config, parseDataConfig } from '../server/config.js'

/** Flags of every command that opens the store of a registry. */
export interface StoreFlags {
  readonly config?: string
  readonly data?: string
  readonly store?: string
  readonly json?: boolean
}

export const storeFlags = (command: Command): Command =>
  command
    .option('--config <file>', 'configuration file of the server')
    .option('--data <folder>', 'data directory (default: .credence)')
    .option('--store <url>', 'mongodb://…/<database>, if the server uses one')
    .option('--json', 'print JSON')

/**
 * Builds the configuration from these flags and from `others`, settings by their names in the configuration; undefined values are left
 * out.
 */
export const configOf = ({ config: file, data: dataDirectory, store }: StoreFlags, others: object = {}): Config =>
  parseDataConfig(Object.fromEntries(Object.entries({ dataDirectory, store, ...others }).filter(([, value]) => value !== undefined)), file)
