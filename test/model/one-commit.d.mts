export interface ModelRun {
  /** Descriptions of the promises that were broken. */
  readonly problems: readonly string[]
  readonly counts: Readonly<Record<string, number>>
}
export const FAULTS: readonly string[]
export function runModel(seed: number, fault?: string): ModelRun
