import { describe, expect, it } from '@jest/globals'
import { parseConfig } from '../src/config.ts'
import { createOrigins } from '../src/origins.ts'

const HOST = 'chat.example.org'

describe('a page may connect', () => {
  it.each([
    ['no list', undefined, undefined, true],
    ['no list', undefined, 'https://chat.example.org', true],
    // A page on another port of the same host, and a proxy that listens elsewhere than the gateway.
    ['no list', undefined, 'http://chat.example.org:3000', true],
    ['no list', undefined, 'https://chat.example.org.evil.example', false],
    ['no list', undefined, 'https://evil.example', false],
    ['no list', undefined, 'null', false],
    ['no list', undefined, 'capacitor://chat.example.org', false],
    ['no list', undefined, 'http://', false],
    ['a list', ['https://a.example'], 'https://a.example', true],
    ['a list', ['https://A.example'], 'https://a.EXAMPLE', true],
    ['a list', ['https://a.example'], 'https://chat.example.org', true],
    ['a list', ['https://a.example'], undefined, true],
    ['a list', ['https://a.example'], 'http://a.example', false],
    ['a list', ['https://a.example'], 'https://a.example:444', false],
    ['a list', ['https://a.example'], 'https://b.example', false],
    ['a list', ['null', 'capacitor://localhost'], 'null', true],
    ['a list', ['null', 'capacitor://localhost'], 'capacitor://localhost', true],
    ['a pattern', ['https://*.example.com'], 'https://a.example.com', true],
    ['a pattern', ['https://*.example.com'], 'https://a.b.example.com', true],
    ['a pattern', ['https://*.example.com:8443'], 'https://a.example.com:8443', true],
    ['a pattern', ['https://*.example.com'], 'https://example.com', false],
    ['a pattern', ['https://*.example.com'], 'https://aexample.com', false],
    ['a pattern', ['https://*.example.com'], 'https://a.exampleXcom', false],
    ['a pattern', ['https://*.example.com'], 'https://evil.example/.example.com', false],
    ['a pattern', ['https://*.example.com'], 'https://a.example.com.evil.example', false],
    ['a pattern', ['https://*.example.com'], `https://${'a.'.repeat(40_000)}x`, false],
    ['a star', ['*'], 'https://evil.example', true],
    ['a star', ['*'], 'null', true],
  ])('with %s %j: %s -> %s', (_, listed, origin, isAllowed) => {
    expect(createOrigins(listed).allows(origin, HOST)).toBe(isAllowed)
  })

  it('of no host name but its own, when the request names none', () => {
    expect(createOrigins(undefined).allows('https://chat.example.org', undefined)).toBe(false)
  })
})

it('CORS_ORIGINS takes origins and patterns, and nothing else', () => {
  const parse = (origins: string): readonly string[] | undefined =>
    parseConfig({
      REDIS_URL: 'redis://localhost',
      BROKER_URL: 'http://localhost',
      PRESENCE_URL: 'http://localhost',
      CORS_ORIGINS: origins,
    }).limits.corsOrigins
  expect(parse('https://a.example, https://*.b.example, null, *, ionic://localhost')).toHaveLength(
    5,
  )
  for (const bad of [
    'a.example',
    'https://',
    'https://a.example/',
    'https://*',
    'https://a.*.example',
  ])
    expect(() => parse(bad)).toThrow('CORS_ORIGINS')
})
