import { randomUUID } from 'node:crypto'
import type { RoomId } from '@roomcast/protocol'
import { Agent, errors } from 'undici'
import { z } from 'zod'
import { admit, answered, CLOSED, failed, type Circuit } from './circuit.ts'
import type { Hook, HookFacts, HookFailure } from './hook-facts.ts'
import { signatureHeaders, type HookSecret } from './signature.ts'

/** Characters of a reason that a client is told. */
const REASON_MAX_CHARS = 200

/** What a backend is asked. */
export interface Question {
  readonly event: Hook
  readonly room: RoomId
  /** What tells the person from others: the token's `sub`, or in open mode the name. */
  readonly user: string
  readonly name: string
  /** Address of the connection. */
  readonly address: string | undefined
  /** On a join: the member comes back to a membership that it had. */
  readonly recovered?: true
  /** On a `say`. */
  readonly text?: string
  readonly type?: string | number | undefined
  readonly data?: unknown
}

/** Bounded and on one line, since it is shown to people. */
const Reason = z.string().transform((raw) =>
  raw
    .replaceAll(/[\p{Cc}\u2028\u2029]+/gu, ' ')
    .trim()
    .slice(0, REASON_MAX_CHARS)
    .toWellFormed(),
)

/** The body of an answer with status 200. What a rewrite holds is checked as what clients send is. */
export const Answer = z.discriminatedUnion('allow', [
  z.object({ allow: z.literal(true), rewrite: z.record(z.string(), z.unknown()).optional() }),
  z.object({ allow: z.literal(false), reason: Reason.optional() }),
])

type Rewrite = Readonly<Record<string, unknown>>

/** `T` is what a rewrite is read as. */
export type Verdict<T> =
  | { readonly kind: 'allow' }
  | { readonly kind: 'rewrite'; readonly rewrite: T }
  | { readonly kind: 'deny'; readonly reason: string | undefined }
  | { readonly kind: 'none'; readonly why: HookFailure }

/** Asks one of the team's own services. */
export interface Backend {
  /**
   * Never rejects, and takes `timeoutMs` at most. Answers come in any order. At most `concurrency` questions are on their way and
   * `queueMax` wait: over that, and while the backend rests after failures, the verdict is `none` at once. `read` returns undefined for
   * a rewrite that can not be; the answer is then `invalid`.
   */
  ask<T>(question: Question, read: (rewrite: Rewrite) => T | undefined): Promise<Verdict<T>>
  close(): Promise<void>
}

export function createBackend({
  hook,
  url,
  gateway,
  secrets,
  timeoutMs,
  concurrency,
  queueMax,
  answerMaxBytes,
  facts,
  now,
  clock,
}: {
  readonly hook: Hook
  readonly url: string
  /** Name of this gateway. */
  readonly gateway: string
  readonly secrets: () => readonly HookSecret[]
  readonly timeoutMs: number
  readonly concurrency: number
  readonly queueMax: number
  /** Bytes that an answer may have. */
  readonly answerMaxBytes: number
  readonly facts: HookFacts
  readonly now: () => number
  /** For durations, in milliseconds. */
  readonly clock: () => number
}): Backend {
  const { origin, pathname, search } = new URL(url)
  const agent = new Agent({ connections: concurrency, maxResponseSize: answerMaxBytes })
  let circuit: Circuit = CLOSED
  let pending = 0

  const move = (next: Circuit): void => {
    const wasResting = circuit.kind !== 'closed'
    circuit = next
    const isResting = next.kind !== 'closed'
    if (isResting !== wasResting) facts.rests(hook, isResting)
  }

  const send = async (question: Question): Promise<z.infer<typeof Answer> | HookFailure> => {
    const id = randomUUID()
    const body = JSON.stringify({ ...question, id, gateway })
    const timestamp = Math.floor(now() / 1_000)
    const response = await agent.request({
      origin,
      path: pathname + search,
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...signatureHeaders(secrets(), { id, timestamp, body }),
      },
      body,
      signal: AbortSignal.timeout(timeoutMs),
    })
    const text = await response.body.text()
    // A redirect is not followed: where it leads to is not where the operator said.
    if (response.statusCode !== 200) {
      facts.failed(hook, new Error(`the backend answered ${response.statusCode}`))
      return 'failed'
    }
    return answerOf(text)
  }

  return {
    async ask<T>(
      question: Question,
      read: (rewrite: Rewrite) => T | undefined,
    ): Promise<Verdict<T>> {
      if (pending >= concurrency + queueMax) {
        facts.asked(hook, 'busy', undefined)
        return { kind: 'none', why: 'busy' }
      }
      const admission = admit(circuit, clock(), 2 * timeoutMs)
      if (!admission.isAdmitted) {
        facts.asked(hook, 'rested', undefined)
        return { kind: 'none', why: 'rested' }
      }
      circuit = admission.circuit
      pending++
      const sentAt = clock()
      let verdict: Verdict<T>
      try {
        verdict = verdictOf(await send(question), read)
      } catch (error) {
        facts.failed(hook, error)
        verdict = { kind: 'none', why: failureOf(error) }
      }
      pending--
      move(verdict.kind === 'none' ? failed(circuit, clock()) : answered())
      facts.asked(hook, resultOf(verdict), clock() - sentAt)
      return verdict
    },
    close: () => agent.destroy(),
  }
}

function answerOf(text: string): z.infer<typeof Answer> | HookFailure {
  try {
    return Answer.safeParse(JSON.parse(text)).data ?? 'invalid'
  } catch {
    return 'invalid'
  }
}

function verdictOf<T>(
  answer: z.infer<typeof Answer> | HookFailure,
  read: (rewrite: Rewrite) => T | undefined,
): Verdict<T> {
  if (typeof answer === 'string') return { kind: 'none', why: answer }
  if (!answer.allow) return { kind: 'deny', reason: answer.reason }
  if (answer.rewrite === undefined) return { kind: 'allow' }
  const rewrite = read(answer.rewrite)
  return rewrite === undefined ? { kind: 'none', why: 'invalid' } : { kind: 'rewrite', rewrite }
}

function failureOf(error: unknown): HookFailure {
  if (error instanceof errors.ResponseExceededMaxSizeError) return 'invalid'
  const name = typeof error === 'object' && error !== null && 'name' in error ? error.name : ''
  return name === 'TimeoutError' ? 'timeout' : 'failed'
}

function resultOf(verdict: Verdict<unknown>): 'allowed' | 'rewritten' | 'denied' | HookFailure {
  switch (verdict.kind) {
    case 'allow':
      return 'allowed'
    case 'rewrite':
      return 'rewritten'
    case 'deny':
      return 'denied'
    case 'none':
      return verdict.why
  }
}
