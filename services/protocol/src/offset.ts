import { z } from 'zod'

/**
 * A place in a room's log: the log's epoch and the sequence number of the last message before it.
 * Written `<epoch>:<seq>`, never empty: Socket.IO clients keep the last non-empty string of an event as their offset.
 */
export interface Position {
  readonly epoch: string
  /** 0 is the place before the first message. */
  readonly seq: number
}

const OFFSET = /^([0-9a-z]{1,16}):(0|[1-9][0-9]{0,15})$/

export function formatOffset({ epoch, seq }: Position): string {
  return `${epoch}:${seq}`
}

/** The position of an offset, or undefined when no server made this string. */
export function parseOffset(offset: string): Position | undefined {
  const match = OFFSET.exec(offset)
  if (match === null) return undefined
  const seq = Number(match[2])
  return Number.isSafeInteger(seq) ? { epoch: match[1] ?? '', seq } : undefined
}

/** An offset from outside, parsed to a position. */
export const Offset = z.string({ error: 'an offset must be a string' }).transform((raw, ctx) => {
  const position = parseOffset(raw)
  if (position === undefined) {
    ctx.addIssue({
      code: 'custom',
      message: 'not an offset that this server made',
      params: { offset: true },
    })
    return z.NEVER
  }
  return position
})
