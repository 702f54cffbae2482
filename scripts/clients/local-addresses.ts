/** Each has some 28,000 ports for connections to one server; ports of closed ones rest for a minute. */
const LOOPBACK = ['127.0.0.1', '127.0.0.2', '127.0.0.3', '127.0.0.4'] as const

/** The addresses from which to connect: several where the server is on this machine, else whatever the system takes. */
export function localAddressesFor(url: string): readonly string[] {
  return new URL(url).hostname.startsWith('127.') ? LOOPBACK : []
}
