// `credence admin copy` into a MongoDB deployment. A file of its own, so that it runs beside the other commands.
import { describe } from 'vitest'
import { mongoCopy } from './mongo-copy.js'
import { mongoCopyWitness } from './mongo-copy-witness.js'
import { overMongod } from './over-mongod.js'

overMongod((mongod) => {
  describe('admin copy', () => mongoCopy(mongod))
  describe('admin copy, with a registry as the witness', () => mongoCopyWitness(mongod))
})
