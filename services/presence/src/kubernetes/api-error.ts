import { z } from 'zod'

/** A request to the Kubernetes API that came to nothing. Its message says what it was for and why, and is all there is to log. */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  /** With which the API refused; undefined when it gave no answer. */
  readonly status: number | undefined

  constructor(message: string, status: number | undefined) {
    super(message)
    this.status = status
  }
}

/** What the client throws, without the headers and bodies that it carries along. */
export function apiErrorOf(what: string, error: unknown): ApiError {
  if (error instanceof ApiError)
    return new ApiError(`while ${what}: ${error.message}`, error.status)
  const { data: refusal } = Refusal.safeParse(error)
  if (refusal === undefined) return new ApiError(`while ${what}: ${reasonOf(error)}`, undefined)
  const status = refusal.code ?? refusal.statusCode
  const told = refusal.body ?? refusal.message
  return new ApiError(`while ${what}: ${[status, told].filter(Boolean).join(' ')}`, status)
}

/** A failed fetch says why in its cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error ? reasonOf(error.cause) : error.message
}

/** The API's own sentence, where a body has one: `pods is forbidden: User … cannot list resource …`. */
const StatusBody = z.preprocess(
  (body) => {
    try {
      return typeof body === 'string' ? JSON.parse(body) : body
    } catch {
      // A proxy's page, say: the status alone has to do.
      return undefined
    }
  },
  z.object({ message: z.string() }).transform(({ message }) => message),
)

/** Not any number: what is thrown after a time limit has a `code` too. */
const HttpStatus = z.int().min(100).max(599)

/** An answer that is an error: of a request (`code`, `body`) or of a watch (`statusCode`). */
const Refusal = z
  .object({
    code: HttpStatus.optional(),
    statusCode: HttpStatus.optional(),
    body: StatusBody.optional().catch(undefined),
    message: z.string().optional(),
  })
  .refine(({ code, statusCode }) => code !== undefined || statusCode !== undefined)
  // A request's own message repeats its body and headers.
  .transform((refusal) =>
    refusal.code === undefined ? refusal : { ...refusal, message: undefined },
  )
