import { tenantDataTests } from './tenant-data.js'

tenantDataTests(() => undefined)
