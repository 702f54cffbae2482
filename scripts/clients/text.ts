/**
 * The text of a measured message: who said it, which of his messages it is, and when it was due, all of fixed width, so that every
 * message of a run has the same number of bytes.
 */
export interface Tag {
  readonly sender: number
  /** From 0. */
  readonly number: number
  /** Microseconds of the machine's monotonic clock. */
  readonly dueUs: number
}

const SENDER_DIGITS = 5
const NUMBER_DIGITS = 9
const TIME_DIGITS = 16
/** The shortest text that holds a tag. */
export const TAG_BYTES = SENDER_DIGITS + NUMBER_DIGITS + TIME_DIGITS + 3

export function writeText({ sender, number, dueUs }: Tag, bytes: number): string {
  return [
    String(sender).padStart(SENDER_DIGITS, '0'),
    String(number).padStart(NUMBER_DIGITS, '0'),
    String(Math.round(dueUs)).padStart(TIME_DIGITS, '0'),
    '',
  ]
    .join('-')
    .padEnd(bytes, 'x')
}

/** The tag of a text that `writeText` made. */
export function readText(text: string): Tag {
  const [sender, number, dueUs] = text.split('-', 3)
  return { sender: Number(sender), number: Number(number), dueUs: Number(dueUs) }
}

/** Microseconds on a clock that all processes of this machine share and nobody sets. */
export function monotonicUs(): number {
  return Number(process.hrtime.bigint() / 1_000n)
}
