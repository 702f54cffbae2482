import { WebSocket } from 'ws'

/** What a member has of its session, as stock clients keep it. */
interface Kept {
  readonly pid: string
  offset: string
}

/** A member over a bare websocket: speaks just enough Engine.IO and Socket.IO to join, to hear, and to go on with its session. */
export interface RawMember {
  /** Messages of the log that it got. */
  received(): number
  /** Whether its last connection went on with the session. */
  isRecovered(): boolean
  /** Connects, or connects again with what it has; resolves when it is a member. */
  connect(url: string): Promise<void>
  close(): void
}

export function rawMember(room: string, name: string): RawMember {
  let kept: Kept | undefined
  let isRecovered = false
  let received = 0
  let ws: WebSocket | undefined
  return {
    received: () => received,
    isRecovered: () => isRecovered,
    connect: (url) =>
      new Promise((resolve, reject) => {
        const query = `EIO=4&transport=websocket&roomid=${encodeURIComponent(room)}`
        const socket = new WebSocket(`${url.replace('http', 'ws')}/socket.io/?${query}`, {
          perMessageDeflate: false,
        })
        ws = socket
        socket.on('error', reject)
        socket.on('close', () => reject(new Error('the connection ended before it was a member')))
        socket.on('message', (data: Buffer) => {
          const text = data.toString()
          if (text === '2') socket.send('3')
          else if (text.startsWith('0'))
            socket.send(`40${kept === undefined ? '' : JSON.stringify(kept)}`)
          else if (text.startsWith('40')) {
            const { pid } = JSON.parse(text.slice(2)) as { pid: string }
            isRecovered = pid === kept?.pid
            if (isRecovered) return
            kept = { pid, offset: '' }
            socket.send(`42["join",${JSON.stringify({ username: name })}]`)
          } else if (text.startsWith('42["message"')) {
            const [, { event }, offset] = JSON.parse(text.slice(2)) as [
              string,
              { event: string },
              string?,
            ]
            if (offset !== undefined && kept !== undefined) kept.offset = offset
            if (event === 'broadcast_say') received++
            // The first thing that is sent after a join, and after a recovery's replay.
            if (event === 'joined' || event === 'count') resolve()
          }
        })
      }),
    close: () => ws?.terminate(),
  }
}
