import { describe, expect, test } from 'vitest'
import type { JsonObject } from '../../../src/lib/json.js'
import { readCardJson } from '../../../src/protocol/cards/card-model.js'
import { aCard } from '../../registry.js'

const card = aCard({ issuer: 'https://registry.example' })
const flow = { tokenUrl: 'https://id.example/token', scopes: { read: 'Read' } }

describe('members that are present under both names, and `oneof` messages with several members', () => {
  test.each<[string, JsonObject, string]>([
    ['a second spelling of a member', { supported_interfaces: card.supportedInterfaces ?? [] }, '/supported_interfaces'],
    [
      'a second spelling inside a list',
      { skills: [{ ...((card.skills as JsonObject[])[0] ?? {}), inputModes: [], input_modes: ['x'] }] },
      '/skills/0/input_modes',
    ],
    [
      'two flows of one scheme',
      {
        securitySchemes: {
          credence: {
            oauth2SecurityScheme: {
              flows: { clientCredentials: flow, deviceCode: { ...flow, deviceAuthorizationUrl: 'https://id.example/d' } },
            },
          },
        },
      },
      '/securitySchemes/credence/oauth2SecurityScheme/flows',
    ],
    [
      'two kinds of one scheme',
      { securitySchemes: { credence: { httpAuthSecurityScheme: { scheme: 'bearer' }, mtlsSecurityScheme: {} } } },
      '/securitySchemes/credence',
    ],
  ])('%s is reported, and the card is readable', (_, more, pointer) => {
    const { state, ambiguities } = readCardJson({ ...card, ...more })
    expect(state).toBe('accepted')
    expect(ambiguities).toMatchObject([{ pointer }])
  })

  test('a member under its original field name has the same meaning', () => {
    const { supportedInterfaces, defaultInputModes, ...rest } = card
    const spelled = { ...rest, supported_interfaces: supportedInterfaces ?? [], default_input_modes: defaultInputModes ?? [] }
    expect(readCardJson(spelled)).toEqual(readCardJson(card))
    expect(readCardJson(card)).toMatchObject({ state: 'accepted', ambiguities: [] })
  })
})
