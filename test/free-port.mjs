export { freePort } from '../examples/demo/stage.js'
