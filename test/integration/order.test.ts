import { expect, it } from '@jest/globals'
import type { Said } from '@roomcast/protocol'
import { joinRoom, says, type TestClient } from '../support/clients.ts'
import { startDeployment } from '../support/deployment.ts'
import { until } from '../support/processes.ts'
import { startProxy } from '../support/proxy.ts'

const SENDERS = 20
const MESSAGES = 25
const TRANSPORTS = [['websocket'], ['polling'], ['polling', 'websocket']]

it('20 senders at once on three gateways: every member gets every message once, in the one order of the log', async () => {
  await using deployment = await startDeployment({
    gateways: 3,
    brokers: 2,
  })
  const members = await Promise.all(
    Array.from({ length: SENDERS }, (_, i) =>
      joinRoom(deployment.gateways[i % 3]?.url ?? '', 'order', `sender ${i}`, {
        transports: TRANSPORTS[i % 3] ?? [],
      }),
    ),
  )
  const answers = await Promise.all(
    members.flatMap((member, i) =>
      Array.from({ length: MESSAGES }, (_, n) => member.ask<Said>('say', { text: `${i}:${n}` })),
    ),
  )
  expect(answers.every(({ ok }) => ok)).toBe(true)
  const total = SENDERS * MESSAGES
  await until('everybody to have everything', () =>
    members.every((member) => member.texts().length >= total),
  )
  const [first, ...others] = members.map((member) => member.texts())
  expect(new Set(first).size).toBe(total)
  for (const other of others) expect(other).toEqual(first)
  for (let i = 0; i < SENDERS; i++) {
    const own = first?.filter((text) => text.startsWith(`${i}:`))
    expect(own).toEqual(Array.from({ length: MESSAGES }, (_, n) => `${i}:${n}`))
  }
  const seqs = (member: TestClient | undefined): number[] =>
    member?.received.flatMap(({ message, offset }) =>
      message.event === 'broadcast_say' ? [Number(offset?.split(':')[1])] : [],
    ) ?? []
  expect(seqs(members[0])).toEqual(seqs(members[0]).toSorted((a, b) => a - b))
  for (const member of members) member.close()
}, 90_000)

it('a batch whose answer was lost is sent again to another broker and appears once', async () => {
  await using brokers = await startDeployment({ gateways: 0, brokers: 2 })
  const [one, two] = brokers.brokers.map(({ url }) => url)
  await using first = await startProxy(one ?? '')
  await using second = await startProxy(two ?? '')
  const gateway = await brokers.addGateway({ BROKER_URL: `${first.url},${second.url}` })
  const alice = await joinRoom(gateway.url, 'lost answers', 'alice')
  for (let i = 0; i < 10; i++) {
    // Whichever broker it asks first, that answer is lost, and the next one's comes.
    const before = first.lost() + second.lost()
    first.loseAnswers()
    second.loseAnswers()
    const answer = alice.ask<Said>('say', { text: `${i}` })
    await until('a lost answer', () => first.lost() + second.lost() > before)
    first.heal()
    second.heal()
    expect(await answer).toMatchObject({ ok: true })
  }
  await alice.got('the last message', says('9'))
  expect(alice.texts()).toEqual(Array.from({ length: 10 }, (_, i) => `${i}`))
  const history = await alice.ask<{ messages: { event: string }[] }>('history', { limit: 200 })
  expect(history.messages.filter(({ event }) => event === 'broadcast_say')).toHaveLength(10)
  alice.close()
}, 60_000)
