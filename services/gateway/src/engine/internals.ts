import type { Socket as TcpSocket } from 'node:net'
import type * as ws from 'ws'
import type { ChatSocket } from '../sockets.ts'

/**
 * All that this gateway uses of Engine.IO, Socket.IO and ws beyond their documented interfaces is in this folder: socket.io 4.8,
 * engine.io 6.6, ws 8. test/engine.test.ts fails when one of them changes what is used here.
 */

interface EnginePacket {
  readonly data?: string | Buffer
}

/** A connection: Engine.IO's `Socket`. */
export interface Engine {
  readonly readyState: string
  readonly upgrading: boolean
  readonly writeBuffer: readonly EnginePacket[]
  readonly transport: {
    readonly name: string
    readonly perMessageDeflate?: unknown
    readonly socket?: InnerWebSocket
    /** Of polling: ends it, while its end waits for a request. */
    readonly shouldClose?: (() => void) | null
  }
  write(data: string, options: { compress: boolean; wsPreEncodedFrame: readonly Buffer[] }): void
}

export type InnerWebSocket = ws.WebSocket & {
  readonly _closeCode?: number
  readonly _socket?: TcpSocket | null
  readonly _sender?: { readonly _bufferedBytes: number }
}

export const engineOf = (socket: ChatSocket): Engine => socket.conn as unknown as Engine
