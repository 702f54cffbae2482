import { fileURLToPath } from 'node:url'
import { createCrowd, type Crowd } from './crowd.ts'
import { offer, startRemote, type Remote } from './remote.ts'

/** A crowd in a process of its own. */
export type RemoteCrowd = Remote<Omit<Crowd, 'close'>>

const FILE = fileURLToPath(import.meta.url)

export function startCrowd(): RemoteCrowd {
  return startRemote(FILE, ['join', 'talk', 'hush', 'mark', 'account'])
}

if (process.argv[1] === FILE) {
  const crowd = createCrowd()
  offer(crowd, () => crowd.close())
}
