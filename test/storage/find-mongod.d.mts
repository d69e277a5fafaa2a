import type { MongoMemoryReplSet } from 'mongodb-memory-server-core'

export type FoundMongod =
  | { readonly uri: string; readonly binary?: undefined; readonly download?: undefined }
  | { readonly uri?: undefined; readonly binary: string; readonly download?: undefined }
  | { readonly uri?: undefined; readonly binary?: undefined; readonly download: string }
export const HOW: string
export function findMongod(env?: NodeJS.ProcessEnv): FoundMongod | undefined
export function mongodProgram(found?: FoundMongod): Promise<string>
export const TEST_COMMANDS: readonly string[]
export function startMembers(count?: number, args?: readonly string[]): Promise<MongoMemoryReplSet>
export function urlOf(uri: string, database: string): string
export function databaseOf(uri: string): string | undefined
