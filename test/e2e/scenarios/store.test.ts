import { afterEach, expect, it, jest } from '@jest/globals'
import { checkRoom, type Stretch } from '../../../scripts/chaos/checks.ts'
import { violationLines } from '../../../scripts/chaos/table.ts'
import { until } from '../../support/processes.ts'
import { entranceOf } from '../support/entrance.ts'
import { createNamespace, type Namespace } from '../support/namespace.ts'
import { install, isReady, over, SMALL, type Release, type Values } from '../support/release.ts'
import { record, seconds, timed } from '../support/report.ts'
import { scenario, type Place } from '../support/scenario.ts'
import { flows, startTraffic } from '../support/traffic.ts'
import { volumeFor } from '../support/volume.ts'

jest.setTimeout(600_000)

const MEMBERS = 200
/** Presence takes as long, while gateways are closed because their rooms began anew, as it takes them to come back. In milliseconds. */
const WELL_MS = 120_000
/** How long a chat may take to go on once its store is back. In milliseconds. */
const AGAIN_MS = 15_000

let suite = new AsyncDisposableStack()
afterEach(async () => {
  await suite.disposeAsync()
  suite = new AsyncDisposableStack()
})

async function installWith(
  store: Values,
  prepare: (namespace: Namespace) => Promise<AsyncDisposable | undefined>,
): Promise<Place> {
  const namespace = await createNamespace()
  // A volume outlives what uses it.
  const prepared = await prepare(namespace)
  if (prepared !== undefined) suite.use(prepared)
  suite.use(namespace)
  const entrance = entranceOf(namespace)
  const values = over(over(SMALL, entrance.values), {
    broker: { settings: { historySize: 100_000 } },
    redis: { embedded: store },
  })
  const release = await install(namespace, values)
  await entrance.isOpen(3)
  return { namespace, entrance, release }
}

/** Deletes the pod of Valkey and waits for the next one, which takes as long as the old one takes to end. */
async function replaceStore(namespace: Namespace, release: Release): Promise<void> {
  const [old] = await release.pods('valkey')
  await namespace.kubectl('delete', 'pod', old?.metadata.name ?? '', '--wait=false')
  await until(
    'another Valkey',
    async () => {
      const [pod] = await release.pods('valkey')
      return pod !== undefined && pod.metadata.uid !== old?.metadata.uid && isReady(pod)
    },
    WELL_MS,
  )
}

it('the pod of Valkey is deleted, and its volume stays: nothing is lost', async () => {
  const place = await installWith({ persistence: { enabled: true, size: '64Mi' } }, (namespace) =>
    volumeFor(namespace, 'data-chat-roomcast-valkey-0'),
  )
  await scenario(
    place,
    {
      id: 'delete-valkey-volume',
      what: 'kubectl delete pod, of Valkey with a volume',
      members: MEMBERS,
    },
    () => replaceStore(place.namespace, place.release),
  )
})

it('the pod of Valkey is deleted without a volume: the log is gone, all are told by its new epoch, and the chat goes on', async () => {
  const place = await installWith({ persistence: { enabled: false } }, async () => undefined)
  const { namespace, release } = place
  await using traffic = await startTraffic('empty', MEMBERS, place)
  const { members } = traffic
  await flows(traffic)
  const said = members.map(({ record }) => record.acknowledged.length)
  const gone = said.reduce((a, b) => a + b, 0)
  await replaceStore(namespace, release)
  const [, againMs] = await timed(async () => {
    await traffic.areBack()
    await flows(traffic)
  })
  const { logs, experiences, acknowledged } = await traffic.conclude()

  // Everything from the new log's first message on is held to what the old one was held to.
  const violations = logs.flatMap((log) => {
    const epoch = log.entries[0]?.offset.split(':')[0] ?? ''
    const isNew = ({ offset }: { readonly offset: string }): boolean =>
      offset.startsWith(`${epoch}:`)
    const since = ({ from, entries }: Stretch): readonly Stretch[] => {
      const left = entries.filter(isNew)
      const isJoinedSince = from !== undefined && isNew({ offset: from })
      if (isJoinedSince) return [{ from, entries: left }]
      return left.length === 0 ? [] : [{ from: `${epoch}:0`, entries: left }]
    }
    const inIt = members.filter(({ record }) => record.room === log.room)
    return checkRoom(
      log,
      inIt.map(({ record }) => ({
        ...record,
        stretches: record.stretches.flatMap(since),
        acknowledged: record.acknowledged.filter(isNew),
      })),
    )
  })
  const isMet = violations.length === 0 && againMs <= AGAIN_MS
  await record({
    id: 'delete-valkey-empty',
    what: 'kubectl delete pod, of Valkey without a volume',
    measured: [
      `${violations.length} violations in the new logs`,
      `${gone} messages acknowledged before are gone with the pod`,
      `${acknowledged - gone} acknowledged since, or while it went`,
      `${experiences.disconnects} connections lost, ${experiences.told} members told that they are not recovered`,
      `everybody has said something ${seconds(againMs)} after it was back`,
    ].join('; '),
    target: `from its first message on the new log loses, doubles and reorders nothing; all chat within ${seconds(AGAIN_MS)}`,
    isMet,
  })
  expect(violationLines('new logs', violations)).toEqual([])
  expect(againMs).toBeLessThanOrEqual(AGAIN_MS)
})
