import { once } from 'node:events'
import { describe, expect, it } from '@jest/globals'
import {
  REPORT_PATH,
  type GatewayToPresence,
  type PresenceToGateway,
  type Shed,
} from '@roomcast/protocol'
import { WebSocket } from 'ws'
import { parseConfig } from '../src/index.ts'
import { get, infoOf, Scene } from './replicas.ts'
import { until } from './until.ts'

/** A gateway that reports so many connections, and does what it is told. */
class SheddingGateway {
  readonly sheds: Shed[] = []
  readonly #ws: WebSocket
  #connections: number
  #n = 0

  private constructor(ws: WebSocket, connections: number) {
    this.#ws = ws
    this.#connections = connections
  }

  static async open(
    url: string,
    instance: string,
    connections: number,
    more: { sheds?: boolean } = {},
  ): Promise<SheddingGateway> {
    const ws = new WebSocket(url.replace('http', 'ws') + REPORT_PATH)
    const gateway = new SheddingGateway(ws, connections)
    ws.on('message', (data: Buffer) => {
      const frame = JSON.parse(data.toString()) as PresenceToGateway
      if (frame.t !== 'shed') return
      gateway.sheds.push(frame)
      gateway.report(gateway.connections - frame.connections)
    })
    await once(ws, 'open')
    gateway.#say({ t: 'hello', v: 1, ...infoOf(instance), ...more })
    gateway.#say({ t: 'state', n: 0, part: 0, last: true, members: [], ...gateway.#totals() })
    return gateway
  }

  get connections(): number {
    return this.#connections
  }

  report(connections: number): void {
    this.#connections = connections
    this.#say({ t: 'diff', n: ++this.#n, joined: [], left: [], ...this.#totals() })
  }

  close(): void {
    this.#ws.terminate()
  }

  #totals() {
    return { connections: { websocket: this.#connections, polling: 0 }, draining: false }
  }

  #say(frame: GatewayToPresence): void {
    this.#ws.send(JSON.stringify(frame))
  }
}

const rebalance = { tolerance: 0.3, batch: 0.1, intervalMs: 40 }

describe('rebalancing', () => {
  it('tells the fullest gateway to shed until it is within the tolerance, and one that does not know how nothing', async () => {
    // At the pace of time: the gateways here beat only when something changes.
    await using scene = new Scene({ speed: 1 })
    const duties = { ...parseConfig({}).duties, rebalance }
    const { url } = await scene.presence({ duties, leaseMs: 60_000 })
    const old = await SheddingGateway.open(url, 'old', 1_000)
    const full = await SheddingGateway.open(url, 'full', 1_000, { sheds: true })
    const empty = await SheddingGateway.open(url, 'empty', 0, { sheds: true })
    // Mean 666, then less: what was shed arrives nowhere here.
    await until('it is within the tolerance', () => full.connections <= 1.3 * 600)
    expect(full.sheds[0]).toEqual({ t: 'shed', connections: 100, withinMs: 20 })
    expect(full.connections).toBeGreaterThanOrEqual(500)
    expect([old.sheds, empty.sheds]).toEqual([[], []])
    for (const gateway of [old, full, empty]) gateway.close()
  })

  it('is off unless it is asked for', async () => {
    await using scene = new Scene({ speed: 1 })
    const { url } = await scene.presence({ leaseMs: 60_000 })
    const full = await SheddingGateway.open(url, 'full', 1_000, { sheds: true })
    const empty = await SheddingGateway.open(url, 'empty', 0, { sheds: true })
    await until('both', async () => (await get(`${url}/v1/stats`)).body['connections'] === 1_000)
    // What would be sent comes before the answer to a question that is asked later.
    full.report(1_001)
    await until(
      'the report',
      async () => (await get(`${url}/v1/stats`)).body['connections'] === 1_001,
    )
    expect(full.sheds).toEqual([])
    for (const gateway of [full, empty]) gateway.close()
  })
})
