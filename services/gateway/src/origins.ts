/** Which pages may connect. */
export interface Origins {
  /** Whether a request with this `Origin`, undefined for none, to this host may open a connection. */
  allows(origin: string | undefined, host: string | undefined): boolean
  /** The same for the `cors` package, which tells browsers who may read the answers; undefined: nobody from elsewhere. */
  readonly cors:
    { readonly origin: true | (string | RegExp)[]; readonly credentials: true } | undefined
}

/**
 * `listed` undefined: pages of the host name that they connect to, whatever their port. That is what a page served by the gateway, or by
 * a proxy in front of both, looks like, whoever terminates TLS. Browsers alone send an `Origin`; a client without one is no page that a visitor was lured to.
 */
export function createOrigins(listed: readonly string[] | undefined): Origins {
  const isAny = listed?.includes('*') === true
  const entries = (listed ?? []).map(compile)
  const isListed = (origin: string): boolean =>
    entries.some((entry) => (typeof entry === 'string' ? entry === origin : entry.test(origin)))
  return {
    allows(origin, host) {
      if (origin === undefined || isAny) return true
      const lower = origin.toLowerCase()
      return isListed(lower) || isSameHost(lower, host)
    },
    /*
     * Credentials are allowed, since v2 clients always send them and a cookie may pin a client to its gateway; they prove nothing here.
     * `*` then has to be each caller's own origin: browsers refuse the star together with credentials.
     */
    cors: listed === undefined ? undefined : { origin: isAny || entries, credentials: true },
  }
}

/** `https://*.example.org` stands for every host below example.org, and not for that itself. */
function compile(entry: string): string | RegExp {
  const lower = entry.toLowerCase()
  const [scheme = '', rest] = lower.split('*.', 2)
  if (rest === undefined) return lower
  return new RegExp(`^${escaped(scheme)}[a-z\\d-]+(?:\\.[a-z\\d-]+)*\\.${escaped(rest)}$`)
}

const escaped = (text: string): string => text.replaceAll(/[$()*+.?[\\\]^{|}]/g, '\\$&')

function isSameHost(origin: string, host: string | undefined): boolean {
  if (host === undefined || !/^https?:/.test(origin)) return false
  const [from, to] = [URL.parse(origin), URL.parse(`http://${host}`)]
  return from !== null && to !== null && from.hostname === to.hostname
}
