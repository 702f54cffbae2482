import type { AckAnswer, SeenMessage } from './packets.ts'

/** One client's connection as the client sees it: it comes back by itself when it breaks, and asks to be recovered. */
export interface Line {
  /** Nothing is sent while the line is down. */
  emit(event: string, body: object, ack: (answer: AckAnswer) => void): void
  /** Leaves in order; the line does not come back. */
  close(): void
}

export interface LineListener {
  /** Connected, for the first time or again. Recovered: what was missed arrives, and no `join` is needed. */
  up(isRecovered: boolean): void
  /** Broken; acknowledgements that are still awaited will not come. */
  down(): void
  message(message: SeenMessage, offset: string | undefined): void
  /** The server will not have this client: the line does not come back. */
  refused(reason: string): void
}

export interface LineOptions {
  readonly url: string
  readonly room: string
  readonly localAddress?: string | undefined
  /** What it presents where tokens are required. */
  readonly token?: string | undefined
}

/** How long a client waits before it comes back, as stock ones do at random: at first, and at most. In milliseconds. */
export const RECONNECT_MS = { first: 500, longest: 5_000 } as const
