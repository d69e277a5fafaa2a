import { organisationData } from './organisation.js'

organisationData(() => undefined)
