import { describe, expect, it } from '@jest/globals'
import { addressKey, parseSettings, SettingsError, trustedProxies } from '../src/index.ts'

describe('an address is counted', () => {
  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::ffff:c000:201', '192.0.2.1'],
    ['0:0:0:0:0:FFFF:192.0.2.1', '192.0.2.1'],
    ['192.0.2.1:54321', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:0DB8:1:2::6', '2001:db8:1:2::/64'],
    ['[2001:db8:1:2::6]:443', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['64:ff9b::192.0.2.1', '64:ff9b:0:0::/64'],
    ['unknown', undefined],
    ['192.0.2.256', undefined],
    ['', undefined],
    [undefined, undefined],
  ])('%s as %s', (address, key) => {
    expect(addressKey(address)).toBe(key)
  })
})

describe('TRUSTED_PROXIES', () => {
  const parse = (text: string): unknown =>
    parseSettings({ TRUSTED_PROXIES: trustedProxies() }, { TRUSTED_PROXIES: text }).TRUSTED_PROXIES

  it.each([
    ['', undefined],
    ['0', 0],
    ['2', 2],
    ['10.0.0.0/8', ['10.0.0.0/8']],
    ['10.1.2.3, fd00::/8', ['10.1.2.3', 'fd00::/8']],
  ])('%j is %j', (text, value) => {
    expect(parse(text)).toEqual(value)
  })

  it.each(['17', '-1', 'traefik', '10.0.0.0/33', '10.0.0/8', '10.0.0.0/8/8', '10.0.0.0/8,', '*'])(
    '%j is refused',
    (text) => {
      expect(() => parse(text)).toThrow(SettingsError)
    },
  )
})
