import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { once } from 'node:events'

export interface Proxy extends AsyncDisposable {
  readonly url: string
  /** From now on requests arrive and their answers are lost: the connection ends instead. */
  loseAnswers(): void
  /** Answers that were lost. */
  lost(): number
  /**
   * From now on nothing passes in either direction, and neither side is told: no data, no end of a connection, no new one. As a cable
   * that is pulled; what was sent meanwhile arrives when it is healed, if both sides have waited.
   */
  silence(): void
  /** Answers, and everything else, go through again. */
  heal(): void
  /** Ends every connection, as a failing network does. */
  cut(): void
  /** New connections go to another server from now on. */
  retarget(url: string): void
}

/** A TCP proxy that can lose what the server answers, as a network or a dying server does. */
export async function startProxy(target: string): Promise<Proxy> {
  let { hostname, port } = new URL(target)
  const sockets = new Set<Socket>()
  /** Clients that came while it was silent. */
  const waiting = new Set<Socket>()
  /** The ends of connections that came while it was silent. */
  const late: (() => void)[] = []
  let isSilent = false
  let isLosing = false
  let lost = 0
  const own = (socket: Socket): void => {
    sockets.add(socket)
    socket.on('error', () => socket.destroy())
    socket.on('close', () => sockets.delete(socket))
  }
  const audibly = (end: () => void): void => {
    if (isSilent) late.push(end)
    else end()
  }
  /** What was read before the silence is written: it is on its way. */
  const pass = (from: Socket, to: Socket): void => {
    from.on('data', (chunk) => {
      if (!to.write(chunk)) from.pause()
    })
    // Told also of a socket that is paused.
    from.on('end', () => audibly(() => to.end()))
    to.on('drain', () => !isSilent && from.resume())
  }
  const join = (client: Socket): void => {
    const upstream = connect({ port: Number(port), host: hostname, allowHalfOpen: true })
    own(upstream)
    client.on('close', () => audibly(() => upstream.destroy()))
    upstream.on('close', () => audibly(() => client.destroy()))
    pass(client, upstream)
    upstream.on('data', () => {
      if (!isLosing) return
      lost++
      client.destroy()
    })
    pass(upstream, client)
  }
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (client) => {
    own(client)
    if (isSilent) {
      waiting.add(client)
      client.on('close', () => waiting.delete(client))
      return
    }
    join(client)
    client.resume()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    loseAnswers: () => (isLosing = true),
    silence: () => {
      isSilent = true
      for (const socket of sockets) socket.pause()
    },
    heal: () => {
      isLosing = false
      isSilent = false
      for (const end of late.splice(0)) end()
      for (const client of waiting) join(client)
      waiting.clear()
      for (const socket of sockets) socket.resume()
    },
    lost: () => lost,
    cut: () => {
      for (const socket of sockets) socket.destroy()
    },
    retarget: (url) => {
      ;({ hostname, port } = new URL(url))
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
