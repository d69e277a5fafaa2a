import type { Block } from '../protocol/log/entry.js'

/** The latest horizon of the endings of a block (epoch seconds). Undefined if it ends nothing; MAX_SAFE_INTEGER if one has no horizon. */
export function latestHorizon({ entries }: Pick<Block, 'entries'>): number | undefined {
  const horizons = entries.flatMap(({ ends }) => ends.map(({ horizon = Number.MAX_SAFE_INTEGER }) => horizon))
  return horizons.length === 0 ? undefined : horizons.reduce((latest, horizon) => Math.max(latest, horizon))
}
