import { STATUS_CODES, type Server } from 'node:http'
import type { Socket } from 'node:net'
import swagger from '@fastify/swagger'
import { fastify, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import {
  hasZodFastifySchemaValidationErrors,
  jsonSchemaTransform,
  serializerCompiler,
  validatorCompiler,
} from 'fastify-type-provider-zod'
import {
  ERROR_CODES,
  Problem,
  refusalOf,
  type ClientError,
  type ErrorCode,
} from '@roomcast/protocol'
import type { HttpLimits } from './http-limits.ts'
import { limitRates } from './http-rates.ts'
import type { Log } from './log.ts'
import { VERSION } from './version.ts'

const PROBLEM_TYPE = 'application/problem+json'
/** As long as a request line can be: a room id that is too long is told so by its schema, and not that there is no such path. */
const ROOM_PARAM_MAX_CHARS = 16_384
/** How long a request may take to arrive whole, in milliseconds: a body in drops does not hold a connection for ever. */
const REQUEST_ARRIVAL_MS = 30_000
/** How long the head of a request may take, in milliseconds. */
const HEADERS_ARRIVAL_MS = 10_000
/** How often requests that take too long are looked for, in milliseconds. */
const ARRIVAL_CHECK_INTERVAL_MS = 1_000
/** How often connections that have become idle are closed while the server ends, in milliseconds. */
const CLOSE_IDLE_INTERVAL_MS = 20
/** How long answers may take while the server ends, in milliseconds: after it their connections are cut. */
const CLOSE_GRACE_MS = 10_000

/**
 * An HTTP API: zod schemas check requests and shape answers, every error is a problem of RFC 9457, `/openapi.json` describes the
 * routes (OpenAPI 3.1). Add routes as plugins (`register`): the description misses those that are added directly.
 * A JSON body alone is understood, unless a plugin adds its own. `close()` answers what is under way or still arrives on open
 * connections, closes each when it is idle, and takes `CLOSE_GRACE_MS` at most.
 */
export function createHttpApi({
  title,
  description,
  log,
  limits = NO_LIMITS,
  clientErrorOf = () => undefined,
  keyOf = () => undefined,
  onRefused = () => undefined,
}: {
  readonly title: string
  readonly description: string
  readonly log: Log
  /** Unless given, callers may ask as much as they like, and are who the connection comes from. */
  readonly limits?: HttpLimits
  /** Names the key of a request that presents a good one, without telling it. */
  readonly keyOf?: (request: FastifyRequest) => string | undefined
  /** Is told of every request that is answered with a problem. */
  readonly onRefused?: (code: ErrorCode) => void
  /** What a caller is told of an error that is not a fault of this service, such as a store that is away. */
  readonly clientErrorOf?: (error: unknown) => ClientError | undefined
}): FastifyInstance {
  const app = fastify({
    logger: false,
    // Nothing logs by request, so none needs an id.
    genReqId: () => '',
    // HEAD of a stream would be a stream that nobody reads.
    exposeHeadRoutes: false,
    return503OnClosing: false,
    requestTimeout: REQUEST_ARRIVAL_MS,
    http: {
      headersTimeout: HEADERS_ARRIVAL_MS,
      connectionsCheckingInterval: ARRIVAL_CHECK_INTERVAL_MS,
    },
    trustProxy: trustOf(limits.trustedProxies),
    routerOptions: { maxParamLength: ROOM_PARAM_MAX_CHARS },
    frameworkErrors: (error, _request, reply) => void sendProblem(reply, problemOf(error)),
  })
  const refuse = (reply: FastifyReply, body: Problem): FastifyReply => {
    onRefused(body.code)
    return sendProblem(reply, body)
  }
  app.setValidatorCompiler(validatorCompiler)
  app.setSerializerCompiler(serializerCompiler)
  acceptJson(app)
  limitRates(app, limits.ratePerSecond, keyOf)
  app.setErrorHandler((error, request, reply) => {
    const problem = problemOf(clientErrorOf(error) ?? error)
    // A caller that went away while it sent its request is not a fault, and hears no answer.
    if (problem.code === 'internal' && !request.raw.destroyed) {
      log.error(
        { err: error, method: request.method, route: request.routeOptions.url },
        'request failed',
      )
    }
    return refuse(reply, problem)
  })
  app.setNotFoundHandler((request, reply) =>
    refuse(
      reply,
      problem('not_found', { detail: `no ${request.method} ${pathOf(request.url)} here` }),
    ),
  )
  app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title, description, version: VERSION },
      components: { securitySchemes: { key: { type: 'http', scheme: 'bearer' } } },
    },
    transform: jsonSchemaTransform,
  })
  app.get('/openapi.json', { schema: { hide: true } }, () => app.swagger())
  const endConnections = watchConnections(app.server)
  app.addHook('preClose', (done) => {
    endConnections()
    done()
  })
  return app
}

const NO_LIMITS: HttpLimits = { ratePerSecond: 0, trustedProxies: [] }

function trustOf(
  trusted: HttpLimits['trustedProxies'],
): ((address: string, hop: number) => boolean) | string[] | false {
  if (typeof trusted === 'number') return (_address, hop) => hop < trusted
  return trusted.length === 0 ? false : [...trusted]
}

/** The `response` entries of a route that may answer these codes. */
export function problemResponses(
  ...codes: readonly ErrorCode[]
): Record<number, { description: string; content: Record<string, { schema: typeof Problem }> }> {
  const byStatus = Map.groupBy(codes, (code) => ERROR_CODES[code].status)
  return Object.fromEntries(
    [...byStatus].map(([status, names]) => [
      status,
      { description: names.join(', '), content: { [PROBLEM_TYPE]: { schema: Problem } } },
    ]),
  )
}

/** The problem that any thrown value is answered with: `internal`, without details, where nothing better is known. */
export function problemOf(error: unknown): Problem {
  if (hasZodFastifySchemaValidationErrors(error)) {
    const errors = error.validation.map(({ instancePath, message }) => ({
      path: instancePath.slice(1).replaceAll('/', '.'),
      message: message ?? 'not valid',
    }))
    // zod nests what an issue carries as its own `params`.
    const isOffset = error.validation.some(({ params }) => hasOffsetMark(params['params']))
    return problem(isOffset ? 'invalid_offset' : 'invalid', {
      detail: errors.map(({ message }) => message).join('; '),
      errors,
    })
  }
  const status =
    error instanceof Error && 'statusCode' in error && typeof error.statusCode === 'number'
      ? error.statusCode
      : 500
  if (error instanceof Error && status >= 400 && status < 500) {
    const code = FRAMEWORK_CODES[status] ?? 'invalid'
    return problem(code, {
      detail:
        code === 'unsupported_media_type'
          ? 'the content type of the body is missing, or is not understood here'
          : error.message,
    })
  }
  const { code, message, retryAfterMs } = refusalOf(error)
  return problem(code, { detail: message, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) })
}

/** The codes for statuses that fastify itself answers with; every other is `invalid`. */
const FRAMEWORK_CODES: Readonly<Record<number, ErrorCode>> = {
  404: 'not_found',
  413: 'too_large',
  415: 'unsupported_media_type',
}

function problem(
  code: ErrorCode,
  more: Pick<Problem, 'detail' | 'errors' | 'retryAfterMs'>,
): Problem {
  const { status } = ERROR_CODES[code]
  return { type: 'about:blank', title: STATUS_CODES[status] ?? 'Error', status, code, ...more }
}

function sendProblem(reply: FastifyReply, body: Problem): FastifyReply {
  if (body.retryAfterMs !== undefined) {
    reply.header('retry-after', Math.ceil(body.retryAfterMs / 1_000))
  }
  if (body.status === 401) reply.header('www-authenticate', 'Bearer')
  return reply.code(body.status).type(PROBLEM_TYPE).send(body)
}

/** JSON alone; an empty body counts as none, since clients name the type also where they send nothing. */
function acceptJson(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error')
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body === '') done(null)
    else void parse(request, String(body), done)
  })
}

/**
 * Returns what ends the server's connections, to be called right before it is closed. Node closes once, then, those that are idle; it
 * leaves those that become idle later, which stay for their keep-alive time, and those on which no request has come yet, which it
 * takes for busy and stops timing.
 */
function watchConnections(server: Server): () => void {
  const open = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    open.add(socket)
    socket.once('close', () => open.delete(socket))
  })
  return () => {
    if (!server.listening) return
    const deadline = performance.now() + CLOSE_GRACE_MS
    const timer = setInterval(() => {
      server.closeIdleConnections()
      for (const socket of open) if (socket.bytesRead === 0) socket.destroy()
      if (performance.now() > deadline) server.closeAllConnections()
    }, CLOSE_IDLE_INTERVAL_MS)
    server.once('close', () => clearInterval(timer))
  }
}

function hasOffsetMark(params: unknown): boolean {
  return typeof params === 'object' && params !== null && 'offset' in params
}

function pathOf(url: string): string {
  return url.split('?', 1)[0] ?? url
}
