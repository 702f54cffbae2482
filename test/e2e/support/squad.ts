import { localAddressesFor } from '../../../scripts/clients/local-addresses.ts'
import { startSquad, type RemoteSquad } from '../../../scripts/load/squad-process.ts'

export interface SquadSize {
  readonly members: number
  readonly rooms: number
  /** Begins the names of the rooms. */
  readonly run: string
}

/** Plain websockets in a process of their own, all joined: thousands of them, which come back by themselves. */
export async function enterSquad(url: string, size: SquadSize): Promise<RemoteSquad> {
  const squad = startSquad()
  try {
    await squad.connect({
      urls: [url],
      run: size.run,
      rooms: size.rooms,
      first: 0,
      step: 1,
      end: size.members,
      transport: 'websocket',
      localAddresses: localAddressesFor(url),
      credentials: { kind: 'none' },
    })
    return squad
  } catch (error) {
    await squad[Symbol.asyncDispose]()
    throw error
  }
}
