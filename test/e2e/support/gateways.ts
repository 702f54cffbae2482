import { setInterval as ticks } from 'node:timers/promises'
import type { z } from 'zod'
import type { GatewaysView } from '@roomcast/protocol'
import { getJson } from '../../support/deployment.ts'
import type { Namespace } from './namespace.ts'
import type { Release } from './release.ts'

/** How often the gateways are looked at, in milliseconds. */
const LOOK_MS = 1_000

export type GatewayState = z.infer<typeof GatewaysView>['gateways'][number]

/** The connections of each gateway at one moment. */
export interface Sample {
  /** Since the watch began. */
  readonly seconds: number
  /** By pod, those that drain too. */
  readonly connections: Readonly<Record<string, number>>
}

/** Looks at what presence says of the gateways, each second. */
export interface GatewayWatch extends AsyncDisposable {
  readonly samples: readonly Sample[]
  readonly seconds: () => number
  now(): Promise<readonly GatewayState[]>
}

export const connectionsOf = ({ connections: by }: GatewayState): number =>
  by.polling + by.websocket

export async function watchGateways(namespace: Namespace, release: Release): Promise<GatewayWatch> {
  const forward = await namespace.forward(`service/${release.named('presence')}`, 8_090)
  const started = performance.now()
  const seconds = (): number => (performance.now() - started) / 1_000
  const now = async (): Promise<readonly GatewayState[]> =>
    (await getJson<z.infer<typeof GatewaysView>>(`${forward.url}/v1/gateways`)).gateways
  const samples: Sample[] = []
  const over = new AbortController()
  const watching = (async () => {
    for await (const _tick of ticks(LOOK_MS, undefined, { signal: over.signal })) {
      const gateways = await now()
      samples.push({
        seconds: seconds(),
        connections: Object.fromEntries(
          gateways.map((gateway) => [gateway.pod, connectionsOf(gateway)]),
        ),
      })
    }
  })().catch(() => undefined)
  return {
    samples,
    seconds,
    now,
    async [Symbol.asyncDispose]() {
      over.abort()
      await watching
      await forward[Symbol.asyncDispose]()
    },
  }
}
