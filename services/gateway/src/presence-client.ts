import {
  ClientError,
  INTERNAL_MEMBERS_PATH,
  MEMBERS_LIMIT_MAX,
  MembersView,
  type RoomId,
} from '@roomcast/protocol'
import { watchReplicas, type InternalAccess } from '@roomcast/runtime'
import { Agent } from 'undici'

/** How long a replica may take to answer, in milliseconds. */
const ANSWER_TIMEOUT_MS = 1_000
/** Replicas that are asked one after the other before there is no answer. */
const ATTEMPTS_MAX = 2
/** Connections to one replica. */
const CONNECTIONS_MAX = 4
/** Rooms that are asked for at a time. */
const ASKS_MAX = 64

/** Asks presence what a gateway does not know by itself. */
export interface PresenceClient {
  /**
   * Who is in a room, `members` left out over `MEMBERS_LIMIT_MAX` users. Rejects with `ClientError` `unavailable` when no replica that
   * knows all gateways answers in time, `busy` when too much is asked. Those who ask for one room at the same time share an answer.
   */
  members(room: RoomId): Promise<MembersView>
  close(): Promise<void>
}

export async function createPresenceClient({
  urls,
  internal,
}: {
  readonly urls: readonly string[]
  readonly internal: Pick<InternalAccess, 'headers'>
}): Promise<PresenceClient> {
  const replicas = await watchReplicas(urls)
  const agent = new Agent({ connections: CONNECTIONS_MAX })
  const asked = new Map<RoomId, Promise<MembersView>>()
  let turn = Math.floor(Math.random() * 1_000)

  const askOne = async (room: RoomId): Promise<MembersView> => {
    const list = replicas.list()
    const used = turn
    const origin = list[turn % Math.max(1, list.length)]
    try {
      if (origin === undefined) throw new Error('no replica of presence is known')
      const path = INTERNAL_MEMBERS_PATH.replace(':room', () => encodeURIComponent(room))
      const { statusCode, body } = await agent.request({
        origin,
        path: `${path}?limit=${MEMBERS_LIMIT_MAX}`,
        method: 'GET',
        headers: internal.headers(),
        signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
      })
      const text = await body.text()
      if (statusCode !== 200) throw new Error(`presence answered ${statusCode}`)
      return MembersView.parse(JSON.parse(text))
    } catch (error) {
      // One step on, however many requests fail together: several would lead around to the same replica.
      if (turn === used) turn++
      throw new Error('while asking presence for the members of a room', { cause: error })
    }
  }

  const ask = async (room: RoomId): Promise<MembersView> => {
    for (let attempt = 1; ; attempt++) {
      try {
        return await askOne(room)
      } catch (error) {
        if (attempt < Math.min(ATTEMPTS_MAX, replicas.list().length)) continue
        throw new ClientError('unavailable', 'who is here can not be told right now', {
          cause: error,
        })
      }
    }
  }

  return {
    members(room) {
      const running = asked.get(room)
      if (running !== undefined) return running
      if (asked.size >= ASKS_MAX)
        return Promise.reject(new ClientError('busy', 'too many ask who is where'))
      const answer = ask(room).finally(() => asked.delete(room))
      asked.set(room, answer)
      return answer
    },
    async close() {
      replicas.close()
      await agent.destroy()
    },
  }
}
