// The cost of issuing, verifying and pushing: the benchmarks of these with their figures and goals in one report.
const PARTS = ['exchange', 'verify', 'trpc', 'push', 'catch-up', 'log-verify']

export async function run(report) {
  report.say(`speed: Node ${process.versions.node}`)
  for (const part of PARTS) {
    const { run: runPart } = await import(`./${part}.js`)
    await runPart(report)
  }
}
