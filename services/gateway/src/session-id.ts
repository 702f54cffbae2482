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

/** With what ids are signed where the services have no token. */
const OPEN_KEY = 'roomcast'

/**
 * `keys` are shared by the gateways of an installation: an id is made with the first and known by each, so that a key can be replaced
 * while connections live. Without any, ids can be made up by others; each still leads to a gateway that presence lists.
 */
export function createSessionIds(instance: string, keys: () => readonly string[]): SessionIds {
  const macOf = (text: string, key = OPEN_KEY): Buffer =>
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
      return `${text}.${macOf(text, keys()[0]).toString('base64url')}`
    },
    ownerOf(sid) {
      if (sid.length > ID_MAX_CHARS) return undefined
      const [, random = '', owner, mac = ''] = ID.exec(sid) ?? []
      if (owner === undefined) return undefined
      const presented = Buffer.from(mac, 'base64url')
      const known = keys()
      const isGenuine = (known.length === 0 ? [OPEN_KEY] : known).some((key) => {
        const expected = macOf(`${random}.${owner}`, key)
        return presented.length === expected.length && timingSafeEqual(presented, expected)
      })
      return isGenuine ? owner : undefined
    },
  }
}
