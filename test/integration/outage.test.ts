import { expect, it } from '@jest/globals'
import type { HistoryPage, Refusal, Said } from '@roomcast/protocol'
import { joinRoom, says, type TestClient } from '../support/clients.ts'
import { startDeployment, statusOf, type Deployment } from '../support/deployment.ts'
import { until } from '../support/processes.ts'

interface Sent {
  readonly text: string
  readonly answer: (Said & { ok: true }) | Refusal
}

/** Sends numbered messages one after another, each repeated with its id until it is acknowledged, until told to stop. */
function keepSaying(client: TestClient, name: string) {
  const acknowledged: string[] = []
  let isStopped = false
  const finished = (async () => {
    for (let n = 0; !isStopped; n++) {
      const text = `${name} ${n}`
      for (;;) {
        const answer = await client.ask<Sent['answer']>('say', { text, id: text })
        if (answer.ok) break
        if (!('retryAfterMs' in answer)) throw new Error(`refused: ${JSON.stringify(answer)}`)
        await new Promise((resolve) => {
          setTimeout(resolve, 50)
        })
      }
      acknowledged.push(text)
    }
  })()
  return {
    acknowledged,
    async stop(): Promise<void> {
      isStopped = true
      await finished
    },
  }
}

async function logged(client: TestClient): Promise<string[]> {
  const texts: string[] = []
  let after: string | undefined
  for (;;) {
    const page: HistoryPage = await client.ask<HistoryPage>(
      'history',
      after === undefined ? { limit: 200 } : { after },
    )
    if (page.messages.length === 0) return texts
    for (const message of page.messages)
      if (message.event === 'broadcast_say') texts.push(message.data.text)
    after = page.offset
  }
}

const startMembers = async (deployment: Deployment): Promise<TestClient[]> =>
  Promise.all(
    deployment.gateways.map(({ url }, i) =>
      joinRoom(url, 'outage', `member ${i}`, { transports: [i === 0 ? 'polling' : 'websocket'] }),
    ),
  )

it('Redis killed and restarted under traffic: nothing acknowledged is missing, all get it once and in order, nobody is restarted', async () => {
  await using deployment = await startDeployment({
    gateways: 2,
    brokers: 2,
  })
  const members = await startMembers(deployment)
  const talkers = members.map((member, i) => keepSaying(member, `m${i}`))
  for (let round = 0; round < 2; round++) {
    const before = talkers.map(({ acknowledged }) => acknowledged.length)
    await until('some messages', () =>
      talkers.every(({ acknowledged }, i) => acknowledged.length > (before[i] ?? 0) + 10),
    )
    await deployment.redis.kill()
    // While it is away senders are told, members stay, and readiness does not flap.
    const refusal = await until('a refusal', async () => {
      const answer = await members[0]?.ask<Sent['answer']>('say', {
        text: 'probe',
        id: `probe ${round}`,
      })
      return answer?.ok === false ? answer : undefined
    })
    expect(refusal).toMatchObject({ code: 'unavailable', retryAfterMs: expect.any(Number) })
    for (const { metricsUrl } of deployment.gateways)
      expect(await statusOf(`${metricsUrl}/readyz`)).toBe(200)
    expect(members.every(({ socket }) => socket.connected)).toBe(true)
    await deployment.redis.restart()
    const started = Date.now()
    const counts = talkers.map(({ acknowledged }) => acknowledged.length)
    await until('messages again', () =>
      talkers.every(({ acknowledged }, i) => acknowledged.length > (counts[i] ?? 0)),
    )
    expect(Date.now() - started).toBeLessThan(5_000)
  }
  await Promise.all(talkers.map((talker) => talker.stop()))
  const end = `end ${Math.random()}`
  expect(await members[0]?.ask('say', { text: end })).toMatchObject({ ok: true })
  for (const member of members) await member.got('the end', says(end))

  const [first, second] = members.map((member) => member.texts())
  expect(second).toEqual(first)
  expect(new Set(first).size).toBe(first?.length)
  const all = new Set(first)
  const acknowledged = talkers.flatMap((talker) => talker.acknowledged)
  expect(acknowledged.length).toBeGreaterThan(40)
  expect(acknowledged.filter((text) => !all.has(text))).toEqual([])
  const inLog = await logged(members[1] as TestClient)
  expect(inLog).toEqual(first?.slice(-inLog.length))
  for (const { child } of [
    ...deployment.gateways,
    ...deployment.brokers,
    ...deployment.presences,
  ]) {
    expect(child.exitCode).toBeNull()
  }
  for (const member of members) member.close()
}, 90_000)

it('a broker killed with -9 in the midst of traffic costs a retry and nothing else', async () => {
  await using deployment = await startDeployment({
    gateways: 2,
    brokers: 2,
  })
  const members = await startMembers(deployment)
  const talkers = members.map((member, i) => keepSaying(member, `m${i}`))
  await until('some messages', () => talkers.every(({ acknowledged }) => acknowledged.length > 20))
  deployment.brokers[0]?.signal('SIGKILL')
  await deployment.brokers[0]?.ended()
  const counts = talkers.map(({ acknowledged }) => acknowledged.length)
  await until('more messages', () =>
    talkers.every(({ acknowledged }, i) => acknowledged.length > (counts[i] ?? 0) + 20),
  )
  await Promise.all(talkers.map((talker) => talker.stop()))
  const end = `end ${Math.random()}`
  await members[0]?.ask('say', { text: end })
  for (const member of members) await member.got('the end', says(end))
  const [first, second] = members.map((member) => member.texts())
  expect(second).toEqual(first)
  expect(first?.filter((text) => text !== end)).toHaveLength(
    talkers.flatMap((talker) => talker.acknowledged).length,
  )
  for (const member of members) member.close()
}, 60_000)

it('a gateway that starts while Redis is away waits for it, and is ready when it comes', async () => {
  await using deployment = await startDeployment({ gateways: 1 })
  await deployment.redis.kill()
  const starting = deployment.addGateway()
  await until('the new gateway to listen', async () => {
    const gateway = deployment.gateways[1]
    return gateway !== undefined && (await statusOf(`${gateway.metricsUrl}/readyz`)) === 503
  })
  await deployment.redis.restart()
  const { url } = await starting
  const alice = await joinRoom(url, 'late redis', 'alice')
  expect(await alice.ask('say', { text: 'hello' })).toMatchObject({ ok: true })
  alice.close()
}, 60_000)
