import type { RoomId } from '@roomcast/protocol'
import type { RoomLog, SessionRecord } from '@roomcast/roomlog'
import type { Log } from '@roomcast/runtime'
import type { AddressRate } from '../address-rate.ts'
import type { Config } from '../config.ts'
import type { Facts } from '../facts.ts'
import type { Entrances } from '../entrances.ts'
import type { Floods } from '../floods.ts'
import type { Outbox } from '../outbox.ts'
import type { PresenceClient } from '../presence-client.ts'
import type { Quits } from '../quits.ts'
import type { Reporter } from '../reporter.ts'
import type { Rooms } from '../rooms.ts'
import type { UserConnections } from '../user-connections.ts'

/** What the handlers of client events use. */
export interface Context {
  readonly config: Config
  readonly rooms: Rooms
  readonly outbox: Outbox
  readonly floods: Floods
  readonly entrances: Entrances
  readonly users: UserConnections
  /** Joins from each address; undefined when there is no limit. */
  readonly joinsByAddress: AddressRate | undefined
  readonly quits: Quits<Quit>
  readonly reporter: Pick<Reporter, 'joined' | 'left'>
  readonly presence: Pick<PresenceClient, 'members'>
  readonly roomLog: RoomLog
  /** This gateway's instance, the owner of its members' sessions. */
  readonly instance: string
  readonly facts: Facts
  readonly log: Log
  readonly now: () => number
  /** An id for a message whose sender gave none. */
  readonly newMessageId: () => string
}

/** A quit that is to be announced. */
export interface Quit {
  readonly room: RoomId
  readonly name: string
  /** False in a room that is too large for notices. */
  readonly isAnnounced: boolean
  readonly session: SessionRecord
  /** Somebody marked the session as quit, and may have ended before the log had the notice. */
  readonly isMarked?: boolean
}
