import { joinRoom } from '../../test/support/clients.ts'
import { startDeployment } from '../../test/support/deployment.ts'
import { until } from '../../test/support/processes.ts'
import { startProxy } from '../../test/support/proxy.ts'
import { percentile, spread, type Row } from './row.ts'

const MEMBERS = 100
/** The client's own wait before it connects again, 1 s more or less by half, and what everything else may take. */
const TARGET_MS = 1_200

/** From kill -9 of a gateway until each of its members has a message acknowledged again: stock clients with their own settings, behind a load balancer. */
export async function measureChattingAgain(): Promise<readonly Row[]> {
  await using deployment = await startDeployment({ gateways: 2, env: { LOG_LEVEL: 'warn' } })
  const [doomed, other] = deployment.gateways
  if (doomed === undefined || other === undefined) throw new Error('two gateways were to start')
  await using way = await startProxy(doomed.url)
  const members = await Promise.all(
    Array.from({ length: MEMBERS }, (_, i) =>
      joinRoom(way.url, 'killed', `member ${i}`, {
        reconnectionDelay: 1_000,
        reconnectionDelayMax: 5_000,
      }),
    ),
  )
  const times: number[] = []
  let killedAt = 0
  let recovered = 0
  for (const member of members) {
    member.socket.on('connect', () => {
      if (member.socket.recovered) recovered++
      void member.ask('say', { text: 'again' }).then(({ ok }) => {
        if (ok) times.push(performance.now() - killedAt)
      })
    })
  }
  way.retarget(other.url)
  killedAt = performance.now()
  doomed.signal('SIGKILL')
  await until('everybody to chat again', () => times.length === MEMBERS)
  for (const member of members) member.close()
  times.sort((a, b) => a - b)
  const medianMs = percentile(times, 0.5)
  const p99Ms = percentile(times, 0.99)
  return [
    {
      id: 'chatting-again',
      what: `from kill -9 of a gateway to a message acknowledged, ${MEMBERS} stock clients`,
      measured: `median ${medianMs.toFixed(0)} ms, p99 ${p99Ms.toFixed(0)} ms, ${recovered} recovered`,
      target: `median at most ${TARGET_MS} ms, all recovered`,
      isMet: medianMs <= TARGET_MS && recovered === MEMBERS,
      figures: {
        roomcast: {
          medianMs: spread([medianMs]),
          p99Ms: spread([p99Ms]),
          recovered: spread([recovered]),
        },
      },
      notes: [],
    },
  ]
}
