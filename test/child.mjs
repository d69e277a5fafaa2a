// Children of tests end with the test process, even if it is killed: each watches its parent.
import { spawn } from 'node:child_process'

/** Option of a Node program that ends it with its parent; as NODE_OPTIONS also for the Node programs that a shell starts. */
export const END_WITH_PARENT = `--import=${new URL('./end-with-parent.mjs', import.meta.url).href}`

/** Starts a Node program as `spawn` does. */
export const spawnNode = (args, options) => spawn(process.execPath, [END_WITH_PARENT, ...args], options)
