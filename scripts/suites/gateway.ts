/**
 * A gateway with the handlers of a public protocol suite in the place of the chat: what those suites' servers do, on our gateway, our
 * settings and everything that stands before the chat. The environment is a gateway's own, and `SUITE`: `engine.io` or `socket.io`.
 */
import type { Socket as EngineConnection } from 'engine.io'
import { startFromEnvironment, type Application, type ChatServer } from '@roomcast/gateway'
import { runService, StartError } from '@roomcast/runtime'
import type { Namespace, Socket } from 'socket.io'

/** Says back what an Engine.IO connection sends; no Socket.IO listens to it. */
const engineEcho: Application = {
  path: '/engine.io',
  serve({ engine }) {
    const [socketIo] = engine
      .listeners('connection')
      .filter(({ name }) => name === 'bound onconnection')
    if (socketIo === undefined) throw new Error('no listener of Socket.IO at the engine')
    engine.off('connection', socketIo as () => void)
    engine.on('connection', (connection: EngineConnection) => {
      connection.on('data', (data: string | Buffer) => connection.send(data))
    })
  },
}

/** Tells each socket of `/` and `/custom` its credentials; in `/` it says back what it gets, by event and by acknowledgement. */
const socketEcho: Application = {
  path: '/socket.io',
  serve(io: ChatServer) {
    // The suite has events of its own.
    const of = (name: string): Namespace => io.of(name) as Namespace
    const tellAuth = (socket: Socket): void => void socket.emit('auth', socket.handshake.auth)
    of('/custom').on('connection', tellAuth)
    of('/').on('connection', (socket) => {
      tellAuth(socket)
      socket.on('message', (...args: unknown[]) => socket.emit('message-back', ...args))
      socket.on('message-with-ack', (...args: unknown[]) => {
        const ack = args.pop() as (...args: unknown[]) => void
        ack(...args)
      })
    })
  },
}

const applications: Readonly<Record<string, Application>> = {
  'engine.io': engineEcho,
  'socket.io': socketEcho,
}

await runService('gateway', () => {
  const { SUITE = '' } = process.env
  const application = applications[SUITE]
  if (application === undefined)
    throw new StartError(`SUITE must be one of ${Object.keys(applications).join(', ')}`)
  return startFromEnvironment(process.env, application)
})
