/**
 * Error codes, one list for acknowledgements, `error` events and HTTP problems.
 * `retryable` says whether the same request may succeed later without being changed.
 */
export const ERROR_CODES = {
  /** A field is missing, of the wrong type, or over its limit; `message` names it. */
  invalid: { status: 400, retryable: false },
  /** The offset is not one that a server made. */
  invalid_offset: { status: 400, retryable: false },
  /** The room's log does not know this offset any more: read again without it. */
  offset_gone: { status: 410, retryable: false },
  /** No such event, or no such HTTP resource. */
  not_found: { status: 404, retryable: false },
  /** The connection names no room: connect with `?roomid=` or to the namespace `/rooms/<id>`. */
  no_room: { status: 400, retryable: false },
  /** `say`, `leave`, `history` or `members` without a `join`. */
  not_joined: { status: 409, retryable: false },
  /** A second `join` of one socket under another name. */
  already_joined: { status: 409, retryable: false },
  /** No credentials, or wrong ones. */
  unauthorized: { status: 401, retryable: false },
  /** The credentials do not allow it, or the page's origin does not. */
  forbidden: { status: 403, retryable: false },
  /** The body is over the limit. */
  too_large: { status: 413, retryable: false },
  /** The body's content type is not understood. */
  unsupported_media_type: { status: 415, retryable: false },
  /** Too many in too short a time; `retryAfterMs` says when the next is accepted. */
  rate_limited: { status: 429, retryable: true },
  /** As many are there as may be: connections of one user or address, rooms of one connection. It passes when others end. */
  too_many: { status: 429, retryable: true },
  /** A queue is full, or a gateway has as many connections as it takes. */
  busy: { status: 503, retryable: true },
  /** The log, or for `members` presence, can't be reached. Whether a message was taken is unknown: send it again with the same `id`. */
  unavailable: { status: 503, retryable: true },
  /** A fault of the server; its log has the details. */
  internal: { status: 500, retryable: false },
} as const satisfies Record<string, { status: number; retryable: boolean }>

export type ErrorCode = keyof typeof ERROR_CODES

/** How long a client should wait before it repeats a request that was refused for a passing reason, when nothing better is known. */
export const RETRY_AFTER_MS = 1_000

export interface Refusal {
  readonly ok: false
  readonly code: ErrorCode
  readonly message: string
  /** Present exactly when the code is retryable. */
  readonly retryAfterMs?: number
}

/**
 * A request that can't be served, for a reason that its sender is told: the reply carries `code` and `message`, the connection stays.
 * Every other error is a fault or an outage: logged once where it is caught, and answered with `internal`.
 */
export class ClientError extends Error {
  override readonly name = 'ClientError'
  readonly code: ErrorCode
  readonly retryAfterMs: number | undefined

  constructor(
    code: ErrorCode,
    message: string,
    options: { retryAfterMs?: number; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.retryAfterMs =
      options.retryAfterMs ?? (ERROR_CODES[code].retryable ? RETRY_AFTER_MS : undefined)
  }

  get status(): number {
    return ERROR_CODES[this.code].status
  }

  toRefusal(): Refusal {
    const { code, message, retryAfterMs } = this
    return { ok: false, code, message, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) }
  }
}

/** The refusal for any thrown value: a `ClientError` as it is, everything else as `internal` without details. */
export function refusalOf(error: unknown): Refusal {
  return error instanceof ClientError
    ? error.toRefusal()
    : { ok: false, code: 'internal', message: 'the server failed; its log has the details' }
}
