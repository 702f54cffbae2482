import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { WebSocket } from 'ws'
import { startDeployment, type Deployment } from '../support/deployment.ts'
import { until } from '../support/processes.ts'

const suite = new AsyncDisposableStack()
let deployment: Deployment
/** Two gateways as `scripts/conformance` starts them, one for each suite. */
let urls: { readonly engine: string; readonly socket: string }

beforeAll(async () => {
  deployment = suite.use(
    await startDeployment({ gateways: 0, gatewayMain: 'scripts/suites/gateway.ts' }),
  )
  const [engine, socket] = await Promise.all(
    ['engine.io', 'socket.io'].map((name) => deployment.addGateway({ SUITE: name })),
  )
  urls = { engine: `${engine?.url}/engine.io/`, socket: `${socket?.url}/socket.io/` }
}, 60_000)
afterAll(() => suite.disposeAsync())

interface Opened {
  readonly got: string[]
  send(text: string): void
}

/** A raw websocket, and the text frames that it got. */
function open(url: string, query = ''): Opened {
  const ws = new WebSocket(`${url.replace('http', 'ws')}?EIO=4&transport=websocket${query}`)
  suite.defer(() => ws.terminate())
  const got: string[] = []
  ws.on('message', (data: Buffer) => got.push(data.toString()))
  return { got, send: (text) => ws.send(text) }
}

const frames = (opened: Opened, count: number): Promise<string[]> =>
  until(`${count} frames`, () => opened.got.length >= count && opened.got)

describe('what the public suites of the protocols rely on', () => {
  it('the gateway of the Engine.IO suite says back what it gets', async () => {
    const client = open(urls.engine)
    await frames(client, 1)
    client.send('4hello')
    expect((await frames(client, 2))[1]).toBe('4hello')
  })

  it('the gateway of the Socket.IO suite answers in both namespaces', async () => {
    const client = open(urls.socket)
    await frames(client, 1)
    client.send('40{"token":"123"}')
    await frames(client, 3)
    client.send('42["message",1,"2"]')
    client.send('427["message-with-ack",true]')
    client.send('40/custom,')
    const got = await frames(client, 7)
    expect(got[2]).toBe('42["auth",{"token":"123"}]')
    expect(got.slice(3, 5)).toEqual(['42["message-back",1,"2"]', '437[true]'])
    expect(got[6]).toBe('42/custom,["auth",{}]')
  })

  it('only a socket that has a room is told a private id: there is nothing to recover for others', async () => {
    const connected = async (query: string): Promise<string[]> => {
      const client = open(urls.socket, query)
      await frames(client, 1)
      client.send('40')
      const packet = (await frames(client, 2))[1] ?? ''
      return Object.keys(JSON.parse(packet.slice(2)) as object)
    }
    expect(await connected('')).toEqual(['sid'])
    expect(await connected('&roomid=.')).toEqual(['sid'])
    expect(await connected('&roomid=lobby')).toEqual(['sid', 'pid'])
  })

  it.each(['', 'EIO=abc&', 'EIO=2&', 'EIO=5&'])(
    'a new connection with "%s" for a version is refused over both transports',
    async (version) => {
      const polling = await fetch(`${urls.socket}?${version}transport=polling`)
      expect(polling.status).toBe(400)
      const ws = new WebSocket(`${urls.socket.replace('http', 'ws')}?${version}transport=websocket`)
      const status = await new Promise((resolve) => {
        ws.once('unexpected-response', (_request, response) => resolve(response.statusCode))
        ws.once('error', resolve)
        ws.once('open', () => resolve('open'))
      })
      ws.terminate()
      expect(status).toBe(400)
    },
  )

  it.each([3, 4])('version %i is let in', async (version) => {
    const response = await fetch(`${urls.socket}?EIO=${version}&transport=polling`)
    expect(response.status).toBe(200)
  })
})
