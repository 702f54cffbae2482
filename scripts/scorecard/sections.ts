/** A kind of run, and what it is to have results of. */
export interface Section {
  readonly title: string
  /** Under docs/. */
  readonly file: string
  /** What repeats it. */
  readonly command: string
  /** By the ids of results, in the order of the page: what each is called while there is none. */
  readonly rows: Readonly<Record<string, string>>
}

const SCENARIOS = 'npm run test:e2e -- scenarios'

export const SECTIONS: readonly Section[] = [
  {
    title: 'Protocol suites',
    file: 'results/conformance.json',
    command: 'scripts/conformance DIR --json docs/results/conformance.json',
    rows: {
      'engine.io-round_robin': 'suite of Engine.IO v4, nginx round-robin',
      'engine.io-ip_hash': 'suite of Engine.IO v4, nginx sticky',
      'socket.io-round_robin': 'suite of Socket.IO v5, nginx round-robin',
      'socket.io-ip_hash': 'suite of Socket.IO v5, nginx sticky',
    },
  },
  {
    title: 'Chaos',
    file: 'results/chaos.json',
    command: 'npm run chaos -- --seed 1 --runs 2 --quiet --json docs/results/chaos.json',
    rows: { chaos: 'random kills, stops and drains of every part under traffic' },
  },
  {
    title: 'Under fire on a cluster',
    file: 'results/e2e.json',
    command: `E2E_RESULTS=docs/results/e2e.json ${SCENARIOS}`,
    rows: {
      'roll-gateway': 'rolling update of gateway',
      'roll-broker': 'rolling update of broker',
      'roll-presence': 'rolling update of presence',
      'delete-gateway': 'kubectl delete pod, of gateway',
      'delete-broker': 'kubectl delete pod, of broker',
      'delete-presence': 'kubectl delete pod, of presence',
      'kill-gateway': 'kill -9 in a pod of gateway',
      'kill-broker': 'kill -9 in a pod of broker',
      'kill-presence': 'kill -9 in a pod of presence',
      'kill-leader': 'kill -9 of the leader of presence',
      'kill-valkey': 'kill -9 in the pod of Valkey',
      'delete-valkey-volume': 'kubectl delete pod, of Valkey with a volume',
      'delete-valkey-empty': 'kubectl delete pod, of Valkey without a volume',
      'scale-down': 'scaling down by two gateways',
      'roll-free': 'rolling update of gateway, Traefik without affinity',
      'helm-upgrade': 'helm upgrade from an earlier version of chart and image',
      'autoscaling-up': 'autoscaling on connections, 2 gateways to 4',
      'autoscaling-down': 'autoscaling on connections, back to 2 gateways',
      storm: 'every gateway killed with -9 at once',
    },
  },
  {
    title: 'Sizes in pods',
    file: 'results/e2e.json',
    command: `E2E_RESULTS=docs/results/e2e.json ${SCENARIOS}/sizing`,
    rows: {
      'memory-gateway': 'memory of a pod of gateway',
      'memory-broker': 'memory of a pod of broker',
      'memory-presence': 'memory of a pod of presence',
      'memory-valkey': 'memory of a pod of valkey',
      'cpu-small': 'CPU in pods, small rooms',
      'cpu-large': 'CPU in pods, large rooms',
    },
  },
  {
    title: 'Beside stock Socket.IO',
    file: 'bench.json',
    command: 'npm run bench -- --json docs/bench.json',
    rows: {
      'closed-loop-4': 'closed loop, 1 room of 1000, 4 in flight',
      'closed-loop-16': 'closed loop, 1 room of 1000, 16 in flight',
      'closed-loop-64': 'closed loop, 1 room of 1000, 64 in flight',
      'open-loop': 'open loop, 1 room of 1000',
      'big-room': 'open loop, 1 room of 5000',
      'small-rooms-10': 'open loop, 500 rooms of 10 at 10 messages a second each',
      'small-rooms-1': 'open loop, 500 rooms of 10 at 1 message a second each',
      memory: 'resident memory of an idle joined connection',
      'new-connections': 'new connections per CPU second',
      appends: 'broker appends a second on one core',
      'say-to-ack': 'say to ack, idle system',
      'stalled-reader': 'one stalled reader among 1000',
      'chatting-again': 'from kill -9 of a gateway to a message acknowledged',
      recovery: 'recovery of the members of a killed gateway',
    },
  },
]
