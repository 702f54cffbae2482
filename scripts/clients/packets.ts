/** The types of Socket.IO packets (protocol 5), as their first byte. */
export const PACKET = {
  connect: 0x30,
  disconnect: 0x31,
  event: 0x32,
  ack: 0x33,
  connectError: 0x34,
} as const

/** An acknowledgement as every request here gets it. */
export interface AckAnswer {
  readonly ok: boolean
  readonly code?: string
  readonly offset?: string
  readonly retryAfterMs?: number
}

/** What a server's `message` carries, as far as clients that measure look at it. */
export interface SeenMessage {
  readonly event: string
  readonly data: { readonly text?: string; readonly username?: string }
}

/** An event packet of the main namespace that asks for an acknowledgement. */
export function eventPacket(ack: number, event: string, body: object): string {
  return `2${ack}${JSON.stringify([event, body])}`
}

/** An acknowledgement without its type byte: `7[{"ok":true}]`. */
export function readAck(text: string): { readonly id: number; readonly answer: AckAnswer } {
  const bracket = text.indexOf('[')
  const [answer] = JSON.parse(text.slice(bracket)) as [AckAnswer]
  return { id: Number(text.slice(0, bracket)), answer }
}

/** A `message` event without its type byte: `["message",{…},"offset"]`. */
export function readEvent(text: string): {
  readonly message: SeenMessage
  readonly offset: string | undefined
} {
  const [, message, offset] = JSON.parse(text) as [string, SeenMessage, string?]
  return { message, offset }
}
