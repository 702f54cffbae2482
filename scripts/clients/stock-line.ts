import http from 'node:http'
import https from 'node:https'
import { io, type Socket } from 'socket.io-client'
import { RECONNECT_MS, type Line, type LineListener, type LineOptions } from './line.ts'
import type { AckAnswer, SeenMessage } from './packets.ts'

/** A line of the stock client, for the transports that a plain websocket is not. */
export function openStockLine(
  {
    url,
    room,
    localAddress,
    token,
    transports,
  }: LineOptions & { readonly transports: readonly string[] },
  listener: LineListener,
): Line {
  // Polls over kept connections, as a browser's: each one anew would use up the ports of this machine.
  const { Agent } = url.startsWith('https:') ? https : http
  const agent = new Agent({
    keepAlive: true,
    ...(localAddress === undefined ? {} : { localAddress }),
  })
  const socket: Socket = io(url, {
    // The client's types know no agent of Node, which it hands on to http.request.
    agent: agent as unknown as boolean,
    transports: [...transports],
    forceNew: true,
    query: { roomid: room },
    ...(token === undefined ? {} : { auth: { token } }),
    reconnectionDelay: RECONNECT_MS.first,
    reconnectionDelayMax: RECONNECT_MS.longest,
  })
  let isUp = false
  socket.on('connect', () => {
    isUp = true
    listener.up(socket.recovered)
  })
  socket.on('disconnect', (reason) => {
    // Also told of an attempt that ended before it was a connection.
    if (isUp) listener.down()
    isUp = false
    if (reason === 'io server disconnect') listener.refused(reason)
  })
  socket.on('connect_error', (error) => {
    if (!socket.active) listener.refused(error.message)
  })
  socket.on('message', (message: SeenMessage, offset?: string) => listener.message(message, offset))
  return {
    emit(event, body, ack) {
      if (isUp) socket.emit(event, body, (answer: AckAnswer) => ack(answer))
    },
    close: () => void socket.disconnect(),
  }
}
