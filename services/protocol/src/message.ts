import { z } from 'zod'
import {
  CLIENT_ID_MAX_CHARS,
  DATA_MAX_BYTES,
  DATA_MAX_DEPTH,
  NAME_MAX_CHARS,
  TEXT_MAX_BYTES,
  TYPE_MAX_CHARS,
} from './limits.ts'
import { line, utf8Length } from './text.ts'

/** A member's name: 1 to 64 characters after trimming, NFC, no control characters. */
export const MemberName = z
  .string({ error: 'username must be a string' })
  .transform((raw) => raw.trim())
  .pipe(line('username', NAME_MAX_CHARS))

/** A client's own id for a message, for retries: the same id from the same sender in the same room is one message. */
export const ClientId = line('id', CLIENT_ID_MAX_CHARS)

/** Whether a value nests at most `depth` levels of arrays and objects. Iterative: the input may be an attack on the stack. */
export function isNestedWithin(value: unknown, depth: number): boolean {
  let level: unknown[] = [value]
  for (let left = depth; level.length > 0; left--) {
    const next: unknown[] = []
    for (const item of level) {
      if (typeof item !== 'object' || item === null) continue
      if (left === 0) return false
      for (const child of Object.values(item)) next.push(child)
    }
    level = next
  }
  return true
}

function isBinary(value: unknown): boolean {
  return ArrayBuffer.isView(value) || value instanceof ArrayBuffer
}

/** Whether a value nested within `DATA_MAX_DEPTH` has a binary part. */
function hasBinary(value: unknown): boolean {
  if (isBinary(value)) return true
  return typeof value === 'object' && value !== null && Object.values(value).some(hasBinary)
}

/** JSON that passes through as it is: at most 16 KB and 32 levels, no binary. */
export const MessageData = z.unknown().superRefine((value, ctx) => {
  if (value === undefined) return
  // Binary first: walking a Buffer's bytes as if they were fields is work that an attacker would like us to do.
  if (isBinary(value)) {
    ctx.addIssue({ code: 'custom', message: 'data must be JSON, not binary' })
  } else if (!isNestedWithin(value, DATA_MAX_DEPTH)) {
    ctx.addIssue({ code: 'custom', message: `data must nest at most ${DATA_MAX_DEPTH} levels` })
  } else if (hasBinary(value)) {
    ctx.addIssue({ code: 'custom', message: 'data must be JSON, not binary' })
  } else if (utf8Length(JSON.stringify(value)) > DATA_MAX_BYTES) {
    ctx.addIssue({
      code: 'custom',
      message: `data must have at most ${DATA_MAX_BYTES} bytes as JSON`,
    })
  }
})

const typeRange = `type must be a finite number or a string of at most ${TYPE_MAX_CHARS} characters`

/** What a message carries besides its sender: the part that `say` and `POST /v1/rooms/{room}/messages` share. */
export function messageContent(textMaxBytes: number = TEXT_MAX_BYTES) {
  const range = `text must have 1 to ${textMaxBytes} bytes`
  return z.object({
    text: z
      .string({ error: 'text must be a string' })
      .min(1, { error: range })
      .refine((text) => text.length <= textMaxBytes && utf8Length(text) <= textMaxBytes, {
        error: range,
        abort: true,
      })
      .transform((text) => text.toWellFormed()),
    type: z
      .union([z.number(), z.string().max(TYPE_MAX_CHARS, { error: typeRange })], {
        error: typeRange,
      })
      .optional(),
    data: MessageData.optional(),
    id: ClientId.optional(),
  })
}
export type MessageContent = z.infer<ReturnType<typeof messageContent>>
