import type { IncomingHttpHeaders } from 'node:http'

interface Handshake {
  readonly headers: IncomingHttpHeaders
  readonly _query?: Record<string, unknown>
}

interface Response {
  writeHead(status: number, headers: Record<string, string>): { end(): void }
}

/**
 * Refuses new connections with 503, and takes back the affinity cookie: their clients come back by themselves, and the ingress is free
 * to lead them elsewhere. `isEnding`: all of them. `turnsAway`: is asked for each that was led here by the cookie. Requests of connections
 * that exist go on to their end.
 */
export function refuseHandshakes({
  isEnding,
  turnsAway,
  affinityCookie,
}: {
  readonly isEnding: () => boolean
  readonly turnsAway: () => boolean
  /** Its name, with its attributes; undefined: there is none. */
  readonly affinityCookie: string | undefined
}) {
  const [name = '', ...attributes] = (affinityCookie ?? '').split(';')
  const expired = [`${name}=`, 'Max-Age=0', ...attributes.map((attribute) => attribute.trim())]
  const headers = {
    'retry-after': '1',
    connection: 'close',
    ...(affinityCookie === undefined ? {} : { 'set-cookie': expired.join('; ') }),
  }
  const isPinned = ({ cookie }: IncomingHttpHeaders): boolean =>
    affinityCookie !== undefined && hasCookie(cookie, name)

  return (req: Handshake, res: Response, next: () => void): void => {
    const isNew = req._query?.['sid'] === undefined
    if (isNew && (isEnding() || (isPinned(req.headers) && turnsAway())))
      res.writeHead(503, headers).end()
    else next()
  }
}

/** Whether a Cookie header has a cookie of this name, with a value. */
export function hasCookie(header: string | undefined, name: string): boolean {
  return (header ?? '').split(';').some((pair) => {
    const [found, value = ''] = pair.trim().split('=', 2)
    return found === name && value !== ''
  })
}
