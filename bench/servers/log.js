// A registry whose log the benchmark can fill.
import { optionsOf, serveCalls } from '../lib/child.js'
import { openRegistry } from '../lib/open.js'
import { endHandles } from '../lib/open-log.js'

const { issuer, trustLog } = await openRegistry({ ...optionsOf(), keepsFolder: true })

serveCalls(
  { issuer },
  {
    /** Appends entries with this number of endings each, up to 100 in one block. */
    append: async ({ entries, endings }) => {
      const atOnce = Math.min(100, Math.ceil(10_000 / endings))
      for (let done = 0; done < entries; done += atOnce) {
        const count = Math.min(atOnce, entries - done)
        await Promise.all(Array.from({ length: count }, () => endHandles(trustLog, endings, 86_400)))
      }
    },
  },
)
