import { z } from 'zod'

const CONTROL = /\p{Cc}/u

const utf8 = new TextEncoder()

/** Length in bytes as UTF-8. */
export function utf8Length(text: string): number {
  return utf8.encode(text).length
}

/** Code points, not UTF-16 units: an emoji counts once. */
function chars(text: string): number {
  let count = 0
  for (const _ of text) count++
  return count
}

/**
 * One line of text as a person types it: normalised to NFC, so that two ways of typing one word are one word; no control
 * characters; no lone surrogates, which no encoder accepts.
 */
export function line(
  what: string,
  maxChars: number,
): z.ZodPipe<z.ZodString, z.ZodTransform<string, string>> {
  const range = `${what} must have 1 to ${maxChars} characters`
  return z.string({ error: `${what} must be a string` }).transform((raw, ctx) => {
    // A cheap bound first, so that a megabyte of input is not normalised before it is refused.
    if (raw.length > maxChars * 8) {
      ctx.addIssue({ code: 'custom', message: range })
      return z.NEVER
    }
    if (!raw.isWellFormed() || CONTROL.test(raw)) {
      ctx.addIssue({ code: 'custom', message: `${what} must not have control characters` })
      return z.NEVER
    }
    const text = raw.normalize('NFC')
    const length = chars(text)
    if (length < 1 || length > maxChars) ctx.addIssue({ code: 'custom', message: range })
    return text
  })
}
