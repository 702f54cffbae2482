/**
 * The cluster as the replica tells it. `now()` is the replica's clock, carried on between its words: what the visitor's own clock says
 * does not matter.
 */
export function createCluster() {
  let view
  let gateways = new Map()
  let heardAt = 0

  function hear({ at }) {
    view.at = at
    heardAt = performance.now()
  }

  return {
    /** Whether anything is known. */
    get isKnown() {
      return view !== undefined
    },
    get replica() {
      return view.replica
    },
    get stats() {
      return view.stats
    },
    get rooms() {
      return view.rooms
    },
    /** Every gateway, by pod. */
    get gateways() {
      return [...gateways.values()].sort(
        (a, b) => compare(a.pod, b.pod) || compare(a.instance, b.instance),
      )
    },
    now: () => view.at + performance.now() - heardAt,

    begin(state) {
      view = state
      gateways = new Map(state.gateways.map((gateway) => [gateway.instance, gateway]))
      hear(state)
    },
    change(change) {
      view.stats = change.stats ?? view.stats
      view.rooms = change.rooms ?? view.rooms
      for (const gateway of change.gateways?.changed ?? []) gateways.set(gateway.instance, gateway)
      for (const instance of change.gateways?.gone ?? []) gateways.delete(instance)
      hear(change)
    },
  }
}

function compare(a, b) {
  return a < b ? -1 : a > b ? 1 : 0
}
