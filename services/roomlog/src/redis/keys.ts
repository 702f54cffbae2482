import type { RoomId } from '@roomcast/protocol'

/** Names in Redis of what belongs to one room. All share a hash tag: one slot of a cluster, so one script may use them together. */
export interface RoomKeys {
  /** Epoch, last number, ended epochs. */
  readonly meta: string
  /** The messages. */
  readonly stream: string
  /** Prefix of the hashes of producers, one per half of the time for which they are known. */
  readonly producers: string
  /** Prefix of the hashes of message keys, one per half window. */
  readonly messageKeys: string
  /** Hash of the users who are banned. */
  readonly bans: string
  /** Sorted set of the users who were removed. */
  readonly removals: string
  /** The sharded pub/sub channel on which each batch is published. */
  readonly channel: string
}

/** The room id goes into the tag as base64url: a `}` in it would end the tag early. */
export function roomKeys(prefix: string, room: RoomId): RoomKeys {
  const base = `${prefix}:{${Buffer.from(room).toString('base64url')}}`
  return {
    meta: `${base}:meta`,
    stream: `${base}:log`,
    producers: `${base}:producers:`,
    messageKeys: `${base}:keys:`,
    bans: `${base}:bans`,
    removals: `${base}:removals`,
    channel: `${base}:live`,
  }
}
