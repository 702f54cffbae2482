import { openRaw, type RawConnection } from '../clients/raw-connection.ts'

/** What a member has of its session, as stock clients keep it. */
interface Kept {
  readonly pid: string
  offset: string
}

/** A member over a raw connection that can come back with its session. */
export interface RawMember {
  /** Messages of the log that it got. */
  received(): number
  /** Whether its last connection went on with the session. */
  isRecovered(): boolean
  /** Connects, or connects again with what it has; resolves when it is a member. */
  connect(url: string): Promise<void>
  close(): void
}

export function rawMember(room: string, name: string, readBuffer: Buffer): RawMember {
  let kept: Kept | undefined
  let isRecovered = false
  let received = 0
  let connection: RawConnection | undefined
  return {
    received: () => received,
    isRecovered: () => isRecovered,
    connect: (url) =>
      new Promise((resolve, reject) => {
        connection = openRaw(
          { url, room, readBuffer, connectPayload: kept },
          {
            packet(buffer, start, end) {
              const text = buffer.toString('utf8', start, end)
              if (text.startsWith('0')) {
                const { pid } = JSON.parse(text.slice(1)) as { pid: string }
                isRecovered = pid === kept?.pid
                if (isRecovered) return
                kept = { pid, offset: '' }
                connection?.send(`2["join",${JSON.stringify({ username: name })}]`)
              } else if (text.startsWith('2["message"')) {
                const [, { event }, offset] = JSON.parse(text.slice(1)) as [
                  string,
                  { event: string },
                  string?,
                ]
                if (offset !== undefined && kept !== undefined) kept.offset = offset
                if (event === 'broadcast_say') received++
                // The first thing that is sent after a join, and after a recovery's replay.
                if (event === 'joined' || event === 'count') resolve()
              }
            },
            closed: (reason) => reject(new Error(reason)),
          },
        )
      }),
    close: () => connection?.destroy(),
  }
}
