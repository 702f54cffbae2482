import type { IncomingHttpHeaders } from 'node:http'
import type { Guard } from './requests.ts'

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
}): Guard {
  const [name = '', ...attributes] = (affinityCookie ?? '').split(';')
  const expired = [`${name}=`, 'Max-Age=0', ...attributes.map((attribute) => attribute.trim())]
  const headers: Readonly<Record<string, string>> = {
    'retry-after': '1',
    connection: 'close',
    ...(affinityCookie === undefined ? {} : { 'set-cookie': expired.join('; ') }),
  }
  const lines = Object.entries(headers).map(([header, value]) => `${header}: ${value}\r\n`)
  const isPinned = ({ cookie }: IncomingHttpHeaders): boolean =>
    affinityCookie !== undefined && hasCookie(cookie, name)

  return ({ query, headers: asked, upgrade }, res, next) => {
    const isNew = query['sid'] === undefined
    if (!isNew || (!isEnding() && !(isPinned(asked) && turnsAway()))) next()
    else if (upgrade === undefined) res.writeHead(503, headers).end()
    else {
      // A client that has gone by then.
      upgrade.on('error', () => upgrade.destroy())
      upgrade.end(`HTTP/1.1 503 Service Unavailable\r\n${lines.join('')}\r\n`, () =>
        upgrade.destroy(),
      )
    }
  }
}

/** Whether a Cookie header has a cookie of this name, with a value. */
export function hasCookie(header: string | undefined, name: string): boolean {
  return (header ?? '').split(';').some((pair) => {
    const [found, value = ''] = pair.trim().split('=', 2)
    return found === name && value !== ''
  })
}
