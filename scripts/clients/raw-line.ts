import { RECONNECT_MS, type Line, type LineListener, type LineOptions } from './line.ts'
import { eventPacket, PACKET, readAck, readEvent, type AckAnswer } from './packets.ts'
import { openRaw, type RawConnection } from './raw-connection.ts'

/** A line over plain websockets: a fraction of what a stock client costs, and the same to the server. */
export function openRawLine(
  options: LineOptions & { readonly readBuffer: Buffer },
  listener: LineListener,
): Line {
  const acks = new Map<number, (answer: AckAnswer) => void>()
  let connection: RawConnection | undefined
  let nextAck = 0
  let isUp = false
  let isClosed = false
  let attempts = 0
  let retry: NodeJS.Timeout | undefined
  /** What a client keeps to be recovered by. */
  let pid: string | undefined
  let offset: string | undefined

  const event = (text: string): void => {
    const { message, offset: last } = readEvent(text)
    if (last !== undefined) offset = last
    listener.message(message, last)
  }

  const connected = (text: string): void => {
    const { pid: given } = JSON.parse(text) as { pid?: string }
    const isRecovered = pid !== undefined && given === pid
    pid = given
    if (!isRecovered) offset = undefined
    isUp = true
    attempts = 0
    listener.up(isRecovered)
  }

  const payload = (): object | undefined => {
    const { token } = options
    return pid === undefined && token === undefined ? undefined : { pid, offset, token }
  }

  const open = (): void => {
    connection = openRaw(
      { ...options, connectPayload: payload() },
      {
        packet(buffer, start, end) {
          const text = buffer.toString('utf8', start + 1, end)
          switch (buffer[start] ?? 0) {
            case PACKET.event:
              event(text)
              break
            case PACKET.ack: {
              const { id, answer } = readAck(text)
              acks.get(id)?.(answer)
              acks.delete(id)
              break
            }
            case PACKET.connect:
              connected(text)
              break
            case PACKET.connectError:
            case PACKET.disconnect:
              // Final for stock clients as well.
              isClosed = true
              connection?.destroy()
              listener.refused(text)
              break
            default:
              throw new Error(`an unknown packet: ${text}`)
          }
        },
        closed() {
          acks.clear()
          const wasUp = isUp
          isUp = false
          if (wasUp) listener.down()
          if (isClosed) return
          const longest = Math.min(RECONNECT_MS.longest, RECONNECT_MS.first * 2 ** attempts++)
          retry = setTimeout(open, longest * (0.5 + Math.random()))
        },
      },
    )
  }
  open()
  return {
    emit(name, body, ack) {
      if (!isUp) return
      acks.set(++nextAck, ack)
      connection?.send(eventPacket(nextAck, name, body))
    },
    close() {
      isClosed = true
      clearTimeout(retry)
      connection?.leave()
    },
  }
}
