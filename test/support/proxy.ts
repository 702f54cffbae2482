import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { once } from 'node:events'

export interface Proxy extends AsyncDisposable {
  readonly url: string
  /** From now on requests arrive and their answers are lost: the connection ends instead. */
  loseAnswers(): void
  /** Answers that were lost. */
  lost(): number
  /** Answers go through again. */
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
  let isLosing = false
  let lost = 0
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname)
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => socket.destroy())
      socket.on('close', () => {
        sockets.delete(socket)
        client.destroy()
        upstream.destroy()
      })
    }
    client.pipe(upstream)
    upstream.on('data', (chunk) => {
      if (!isLosing) {
        client.write(chunk)
        return
      }
      lost++
      client.destroy()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    loseAnswers: () => (isLosing = true),
    heal: () => (isLosing = false),
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
