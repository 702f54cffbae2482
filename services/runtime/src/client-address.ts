import { isIP } from 'node:net'
import { z } from 'zod'

/**
 * Whose `X-Forwarded-For` is believed: the addresses and networks of the proxies in front, or how many proxies a request passes.
 * An empty list: nobody's, so that a caller's address is the one that the connection comes from.
 */
export type TrustedProxies = number | readonly string[]

/** More hops than any sound chain of proxies has. */
const HOPS_MAX = 16

const HINT = `must be addresses or networks such as 10.0.0.0/8, separated by commas, or a number of hops up to ${HOPS_MAX}`

/** A setting of this kind; unset, nobody is trusted. */
export function trustedProxies() {
  return z
    .string()
    .transform((text, context): TrustedProxies => {
      if (/^\d+$/.test(text) && Number(text) <= HOPS_MAX) return Number(text)
      const parts = text.split(',').map((part) => part.trim())
      if (parts.every(isNetwork)) return parts
      context.addIssue({ code: 'custom', message: HINT })
      return z.NEVER
    })
    .optional()
}

function isNetwork(text: string): boolean {
  const [address = '', prefix, ...more] = text.split('/')
  const family = isIP(address)
  if (family === 0 || more.length > 0) return false
  return (
    prefix === undefined ||
    (/^\d{1,3}$/.test(prefix) && Number(prefix) <= (family === 4 ? 32 : 128))
  )
}

/**
 * By what an address is counted: an IPv4 address as it is, also when it comes as IPv6 does (`::ffff:192.0.2.1`); of an IPv6 address the
 * first 64 bits, since a household or a machine has that many to itself. Undefined for what is no address.
 */
export function addressKey(address: string | undefined): string | undefined {
  const text = withoutPort(address ?? '')
  const [bare = ''] = text.split('%', 1)
  switch (isIP(bare)) {
    case 4:
      return bare
    case 6:
      return mappedV4(bare) ?? networkOf(bare)
    default:
      return undefined
  }
}

/** Some proxies write the port as well. */
function withoutPort(text: string): string {
  return /^\[(.*)\](?::\d+)?$/.exec(text)?.[1] ?? /^([\d.]+):\d+$/.exec(text)?.[1] ?? text
}

function mappedV4(address: string): string | undefined {
  const groups = groupsOf(address)
  const isMapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xff_ff
  if (!isMapped) return undefined
  const [high = 0, low = 0] = groups.slice(6)
  return [high >> 8, high & 0xff, low >> 8, low & 0xff].join('.')
}

function networkOf(address: string): string {
  const groups = groupsOf(address).slice(0, 4)
  return `${groups.map((group) => group.toString(16)).join(':')}::/64`
}

/** The eight groups of an IPv6 address. */
function groupsOf(address: string): number[] {
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(address)
  const plain = dotted
    ? `${dotted[1]}${hex(dotted[2], dotted[3])}:${hex(dotted[4], dotted[5])}`
    : address
  const [head = '', tail] = plain.split('::', 2)
  const parse = (part: string): number[] =>
    part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16))
  const first = parse(head)
  if (tail === undefined) return first
  const last = parse(tail)
  return [...first, ...Array<number>(8 - first.length - last.length).fill(0), ...last]
}

const hex = (high = '0', low = '0'): string => ((Number(high) << 8) | Number(low)).toString(16)
