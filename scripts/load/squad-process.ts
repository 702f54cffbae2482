import { fileURLToPath } from 'node:url'
import { offer, startRemote, type Remote } from '../clients/remote.ts'
import { createSquad, type Squad } from './squad.ts'

/** A squad in a process of its own. */
export type RemoteSquad = Remote<Squad>

const FILE = fileURLToPath(import.meta.url)

export function startSquad(): RemoteSquad {
  return startRemote(FILE, ['connect', 'talk', 'progress', 'hush', 'finish', 'close'])
}

if (process.argv[1] === FILE) {
  const squad = createSquad()
  offer(squad, () => process.exit(0))
}
