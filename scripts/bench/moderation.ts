/**
 * node --conditions=source scripts/bench/moderation.ts [--acts 200] [--bystanders 100]
 *
 * How soon what a moderator does is done: from the request to the HTTP API of a broker until the client concerned has the word, on one of
 * two gateways with so many other members in the room. Against a real Redis with its fsync, everything on this machine.
 */
import { parseArgs } from 'node:util'
import { connectClient, joinRoom, type TestClient } from '../../test/support/clients.ts'
import { startDeployment } from '../../test/support/deployment.ts'
import { within } from '../../test/support/processes.ts'
import { percentile } from './row.ts'

const WORD_WITHIN_MS = 10_000

const { values } = parseArgs({
  options: {
    acts: { type: 'string', default: '200' },
    bystanders: { type: 'string', default: '100' },
  },
})
const acts = Number(values.acts)

await using deployment = await startDeployment({ gateways: 2 })
const [near = '', far = ''] = deployment.gateways.map(({ url }) => url)
const api = `${deployment.brokers[0]?.url}/v1`
const crowd = await Promise.all(
  Array.from({ length: Number(values.bystanders) }, (_, i) =>
    joinRoom(i % 2 === 0 ? near : far, 'bench', `member ${i}`),
  ),
)

const post = async (path: string, method = 'POST', body?: object): Promise<void> => {
  const response = await fetch(`${api}/${path}`, {
    method,
    ...(body === undefined
      ? {}
      : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  })
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status}`)
}
/** Resolves with the moment at which the client has such a message. */
const word = (client: TestClient, event: string): Promise<number> =>
  within(
    WORD_WITHIN_MS,
    event,
    new Promise((resolve) => {
      const listen = (message: { readonly event: string }): void => {
        if (message.event !== event) return
        client.socket.off('message', listen)
        resolve(performance.now())
      }
      client.socket.on('message', listen)
    }),
  )
const timed = async (
  client: TestClient,
  event: string,
  act: () => Promise<void>,
): Promise<number> => {
  const started = performance.now()
  const [at] = await Promise.all([word(client, event), act()])
  return at - started
}

const samples: Record<'kick' | 'delete' | 'disconnect', number[]> = {
  kick: [],
  delete: [],
  disconnect: [],
}
for (let i = 0; i < acts; i++) {
  const user = `mallory ${i}`
  const mallory = await joinRoom(far, 'bench', user)
  const said = await mallory.ask<{ offset: string }>('say', { text: 'bad' })
  const message = `rooms/bench/messages/${encodeURIComponent(said.offset)}`
  samples.delete.push(await timed(mallory, 'deleted', () => post(message, 'DELETE')))
  samples.kick.push(await timed(mallory, 'error', () => post('rooms/bench/kick', 'POST', { user })))
  mallory.close()
  const trudy = await connectClient(far, { room: 'bench' })
  await trudy.ask('join', { username: user })
  const disconnect = `users/${encodeURIComponent(user)}/disconnect`
  samples.disconnect.push(await timed(trudy, 'error', () => post(disconnect)))
  trudy.close()
}
for (const client of crowd) client.close()
for (const [name, times] of Object.entries(samples)) {
  times.sort((a, b) => a - b)
  const [p50, p99] = [0.5, 0.99].map((share) => percentile(times, share).toFixed(1))
  console.log(`${name}: p50 ${p50} ms, p99 ${p99} ms, longest ${times.at(-1)?.toFixed(1)} ms`)
}
