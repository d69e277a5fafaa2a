import { tenantDataTests } from './tenant-data.js'

tenantDataTests(async () => undefined)
