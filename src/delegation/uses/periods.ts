import type { Counts } from './store.js'

export const MINUTE_SECONDS = 60
export const HOUR_SECONDS = 3600
export const DAY_SECONDS = 86_400

export const unitOf = (at: number, unitSeconds: number): number => Math.floor(at / unitSeconds)

/** Adds `uses` in a unit, and keeps the units of the last `maxUnits` units. */
export function added(counts: Counts, unit: number, uses: number, maxUnits: number): [number, number][] {
  const sums = new Map(counts)
  sums.set(unit, (sums.get(unit) ?? 0) + uses)
  const newest = Math.max(...sums.keys())
  return [...sums].filter(([one]) => one > newest - maxUnits).sort(([a], [b]) => a - b)
}

/** Sum of the uses in the units from `first` to `last`, inclusive. */
export const usesIn = (counts: Counts, first: number, last = Number.POSITIVE_INFINITY): number =>
  counts.reduce((sum, [unit, uses]) => (unit >= first && unit <= last ? sum + uses : sum), 0)
