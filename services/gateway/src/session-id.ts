import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'

/**
 * Ids of Engine.IO sessions that name the gateway process which holds them: `<random>.<instance>.<mac>`. A request that lands
 * elsewhere can so be sent to its owner. To clients they are opaque; the mac tells ids that a gateway made from ids that somebody else
 * made up, so that those cost no look-up.
 */
export interface SessionIds {
  /** A new id of this gateway, which nobody can guess. */
  create(): string
  /** The instance that an id names, or undefined when no gateway of this installation made it. */
  ownerOf(sid: string): string | undefined
}

/** 96 random bits: an id is all that a polling client presents. */
const RANDOM_BYTES = 12
/** Ids whose random bytes are drawn at a time: to ask for bytes costs more than the bytes. */
const DRAWN_IDS = 256
const MAC_BYTES = 9
/** Longer ones are not looked at. */
const ID_MAX_CHARS = 128

const ID = /^([\w-]+)\.([\w-]+)\.([\w-]+)$/

/** `key` is shared by the gateways of an installation. */
export function createSessionIds(instance: string, key: string): SessionIds {
  const macOf = (text: string): Buffer =>
    createHmac('sha256', key).update(text).digest().subarray(0, MAC_BYTES)

  let drawn = Buffer.alloc(0)
  let at = 0
  const random = (): string => {
    if (at === drawn.length) {
      drawn = randomBytes(DRAWN_IDS * RANDOM_BYTES)
      at = 0
    }
    at += RANDOM_BYTES
    return drawn.toString('base64url', at - RANDOM_BYTES, at)
  }

  return {
    create() {
      const text = `${random()}.${instance}`
      return `${text}.${macOf(text).toString('base64url')}`
    },
    ownerOf(sid) {
      if (sid.length > ID_MAX_CHARS) return undefined
      const [, random = '', owner, mac = ''] = ID.exec(sid) ?? []
      if (owner === undefined) return undefined
      const presented = Buffer.from(mac, 'base64url')
      const expected = macOf(`${random}.${owner}`)
      const isGenuine = presented.length === expected.length && timingSafeEqual(presented, expected)
      return isGenuine ? owner : undefined
    },
  }
}
