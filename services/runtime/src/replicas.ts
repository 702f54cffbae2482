import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'

/** How often the hosts of a URL list are resolved again, in milliseconds. */
const RESOLVE_INTERVAL_MS = 2_000

/** The replicas behind a list of base URLs, kept current. */
export interface Replicas {
  /** Base URLs without trailing slash, one per address, sorted. Empty while no host resolves. */
  list(): readonly string[]
  /** Resolves again now: for a caller that finds one gone. */
  refresh(): Promise<void>
  close(): void
}

/**
 * Resolves every URL's host to all of its addresses, so that one headless Service name stands for all of its pods. A host that
 * does not resolve is left out until it does; what was known of it goes on for one more failure, since DNS fails more often than pods do.
 */
export async function watchReplicas(
  baseUrls: readonly string[],
  onChange: (replicas: readonly string[]) => void = () => undefined,
): Promise<Replicas> {
  const known = new Map<string, { urls: readonly string[]; failures: number }>()
  let current: readonly string[] = []
  let refreshing: Promise<void> | undefined

  const resolveAll = async (): Promise<void> => {
    await Promise.all(
      baseUrls.map(async (baseUrl) => {
        try {
          known.set(baseUrl, { urls: await addressesOf(baseUrl), failures: 0 })
        } catch {
          // An unresolved name is the ordinary state of a Service without ready pods.
          const before = known.get(baseUrl)
          const failures = (before?.failures ?? 0) + 1
          known.set(baseUrl, { urls: failures > 1 ? [] : (before?.urls ?? []), failures })
        }
      }),
    )
    const next = [...new Set([...known.values()].flatMap(({ urls }) => urls))].sort()
    if (next.join() !== current.join()) {
      current = next
      onChange(current)
    }
  }
  const refresh = (): Promise<void> =>
    (refreshing ??= resolveAll().finally(() => (refreshing = undefined)))

  await refresh()
  const timer = setInterval(() => void refresh(), RESOLVE_INTERVAL_MS)
  timer.unref()
  return { list: () => current, refresh, close: () => clearInterval(timer) }
}

async function addressesOf(baseUrl: string): Promise<string[]> {
  const url = new URL(baseUrl)
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const addresses = isIP(host)
    ? [host]
    : (await lookup(host, { all: true, family: host === 'localhost' ? 4 : 0 })).map(
        ({ address }) => address,
      )
  return addresses.map((address) => {
    url.hostname = isIP(address) === 6 ? `[${address}]` : address
    return url.href.replace(/\/$/, '')
  })
}
