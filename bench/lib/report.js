/** The figures of a benchmark and its goals (a figure with a limit). */
export function newReport(bench, isQuick) {
  const figures = {}
  const goals = {}
  return {
    bench,
    isQuick,
    figures,
    goals,
    /** Prints progress. */
    say: (text) => console.log(`  ${text}`),
    figure(name, value, unit = '') {
      figures[name] = rounded(value)
      console.log(`  ${name.padEnd(46)} ${String(rounded(value)).padStart(10)} ${unit}`)
    },
    /** Adds a figure with a limit: at most, or at least. */
    goal(name, value, { atMost, atLeast }) {
      figures[name] = rounded(value)
      const met = atMost === undefined ? value >= atLeast : value <= atMost
      goals[name] = { value: rounded(value), ...(atMost === undefined ? { atLeast } : { atMost }), met }
      const limit = atMost === undefined ? `≥ ${atLeast}` : `≤ ${atMost}`
      console.log(`  ${name.padEnd(46)} ${String(rounded(value)).padStart(10)}   goal ${limit}: ${met ? 'met' : 'MISSED'}`)
    },
  }
}

/** Prints the JSON line; returns whether every goal was met. */
export function finish({ bench, figures, goals }) {
  const met = Object.values(goals).every((goal) => goal.met)
  console.log(JSON.stringify({ bench, figures, goals, met }))
  return met
}

/** The goal for the Node version that runs. */
export const byNode = ({ node20, node24 }) => (Number(process.versions.node.split('.')[0]) >= 24 ? node24 : node20)

export const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
export const percentile = (values, p) =>
  [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * p))] ?? Number.NaN
const rounded = (value) => (Math.abs(value) >= 100 ? Math.round(value) : Math.round(value * 1000) / 1000)
