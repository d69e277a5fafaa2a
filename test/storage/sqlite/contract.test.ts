import { storageContract } from '../contract.js'
import { openStore } from '../open-store.js'

storageContract('SQLite', () => openStore())
