import { ClientError } from '@roomcast/protocol'

/** Things that are done in the order in which they came, although what each waits for ends in any order. */
export interface Queue {
  /** Takes a place, and returns by what it is told what to do at its turn. Throws `ClientError` `busy` when there are `max` already. */
  enter(): (act: () => void) => void
}

export function createQueue(max: number): Queue {
  const places: { act: (() => void) | undefined }[] = []
  return {
    enter() {
      if (places.length >= max) {
        throw new ClientError('busy', `at most ${max} messages of a connection wait for leave`)
      }
      const place: (typeof places)[number] = { act: undefined }
      places.push(place)
      return (act) => {
        place.act = act
        for (let first = places[0]; first?.act !== undefined; first = places[0]) {
          places.shift()
          first.act()
        }
      }
    },
  }
}
