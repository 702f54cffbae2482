import { STATUS_CODES, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import { ClientError, type Problem } from '@roomcast/protocol'
import type { Guard, Request } from './requests.ts'

/** Answers a request for a connection that is not to be. */
export type Refuse = (
  request: Request,
  res: ServerResponse,
  error: ClientError,
  options?: {
    /** Takes back the affinity cookie, so that the ingress is free to lead the client elsewhere. */
    readonly unpins?: boolean
  },
) => void

const unpinning = (affinityCookie: string): string => {
  const [name, ...attributes] = affinityCookie.split(';')
  return [`${name}=`, 'Max-Age=0', ...attributes.map((attribute) => attribute.trim())].join('; ')
}

/** Refusals are problems of RFC 9457 and end the TCP connection. Stock clients take any of them for an attempt that failed, and come back. */
export function createRefuse(affinityCookie: string | undefined): Refuse {
  const cookie: Readonly<Record<string, string>> =
    affinityCookie === undefined ? {} : { 'set-cookie': unpinning(affinityCookie) }
  return ({ upgrade }, res, { status, code, message, retryAfterMs }, { unpins = false } = {}) => {
    const title = STATUS_CODES[status] ?? 'Error'
    const problem: Problem = {
      type: 'about:blank',
      title,
      status,
      code,
      detail: message,
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    }
    const body = JSON.stringify(problem)
    const headers: Readonly<Record<string, string>> = {
      'content-type': 'application/problem+json',
      'content-length': String(Buffer.byteLength(body)),
      connection: 'close',
      ...(retryAfterMs === undefined
        ? {}
        : { 'retry-after': String(Math.ceil(retryAfterMs / 1_000)) }),
      ...(unpins ? cookie : {}),
    }
    if (upgrade === undefined) {
      res.writeHead(status, headers).end(body)
      return
    }
    const lines = Object.entries(headers).map(([header, value]) => `${header}: ${value}\r\n`)
    // A client that has gone by then.
    upgrade.on('error', () => upgrade.destroy())
    upgrade.end(`HTTP/1.1 ${status} ${title}\r\n${lines.join('')}\r\n${body}`, () =>
      upgrade.destroy(),
    )
  }
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
  refuse,
  onRefused,
}: {
  readonly isEnding: () => boolean
  readonly turnsAway: () => boolean
  /** Its name, with its attributes; undefined: there is none. */
  readonly affinityCookie: string | undefined
  readonly refuse: Refuse
  readonly onRefused: (reason: 'ending' | 'shed') => void
}): Guard {
  const [name = ''] = (affinityCookie ?? '').split(';')
  const isPinned = ({ cookie }: IncomingHttpHeaders): boolean =>
    affinityCookie !== undefined && hasCookie(cookie, name)

  return (request, res, next) => {
    const isNew = request.query['sid'] === undefined
    const isGoing = isNew && isEnding()
    if (isGoing || (isNew && isPinned(request.headers) && turnsAway())) {
      onRefused(isGoing ? 'ending' : 'shed')
      refuse(request, res, goElsewhere(), { unpins: true })
    } else next()
  }
}

/** What a gateway says that takes no more connections. */
export const goElsewhere = (): ClientError =>
  new ClientError('busy', 'this gateway takes no new connections')

/** Whether a Cookie header has a cookie of this name, with a value. */
export function hasCookie(header: string | undefined, name: string): boolean {
  return (header ?? '').split(';').some((pair) => {
    const [found, value = ''] = pair.trim().split('=', 2)
    return found === name && value !== ''
  })
}
