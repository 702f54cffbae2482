import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard'
import { page, type Row } from './page.ts'
import { lines, table } from './panels.ts'
import { CHOSEN, maxBy, rateBy, sumBy } from './queries.ts'

/** A metric of every process, of the chosen ones. */
const chosen = (name: string) => ({ name, of: 'any', where: CHOSEN }) as const
const byPod = { legend: '{{pod}}' } as const

const processes: Row = {
  title: 'Processes',
  panels: [
    lines({
      title: 'CPU',
      description:
        'CPUs that a process uses. The event loop has one; garbage collection and TLS use others.',
      unit: 'short',
      width: 12,
      queries: [{ expr: rateBy('pod', chosen('process_cpu_seconds_total')), ...byPod }],
    }),
    lines({
      title: 'Resident memory',
      description: 'What the operating system gives a process. Its limit is that of the pod.',
      unit: 'bytes',
      width: 12,
      queries: [{ expr: sumBy('pod', chosen('process_resident_memory_bytes')), ...byPod }],
    }),
    lines({
      title: 'Running for',
      description: 'Back at zero: the process was started anew.',
      unit: 's',
      width: 12,
      queries: [
        { expr: `time() - ${maxBy('pod', chosen('process_start_time_seconds'))}`, ...byPod },
      ],
    }),
    table({
      title: 'Versions',
      description: 'What runs. More than one version for long: a rollout that is stuck.',
      unit: 'short',
      width: 12,
      queries: [
        {
          expr: maxBy('pod, version, node', chosen('roomcast_build_info')),
          legend: '{{pod}} {{version}}',
        },
      ],
    }),
  ],
}

const eventLoop: Row = {
  title: 'Event loop',
  panels: [
    lines({
      title: 'Delay, p99',
      description:
        'How late a timer of 20 ms came, all but one of a hundred, since the last scrape; the 20 ms are part of it. Everything waits for that long.',
      unit: 's',
      width: 12,
      queries: [{ expr: maxBy('pod', chosen('nodejs_eventloop_delay_p99')), ...byPod }],
    }),
    lines({
      title: 'Delay, longest',
      description: 'The same, the latest of all. One pause of seconds breaks connections.',
      unit: 's',
      width: 12,
      queries: [{ expr: maxBy('pod', chosen('nodejs_eventloop_delay_max')), ...byPod }],
    }),
    lines({
      title: 'Use',
      description:
        'Share of the time in which the event loop had something to do. At 1 it is full.',
      unit: 'percentunit',
      width: 24,
      queries: [{ expr: maxBy('pod', chosen('nodejs_eventloop_utilization')), ...byPod }],
    }),
  ],
}

const heap: Row = {
  title: 'Heap and garbage collection',
  panels: [
    lines({
      title: 'Heap in use',
      description: 'By objects, dead ones that were not collected yet among them.',
      unit: 'bytes',
      width: 12,
      queries: [{ expr: sumBy('pod', chosen('v8js_memory_heap_used')), ...byPod }],
    }),
    lines({
      title: 'Heap by space',
      description:
        'Of the chosen processes together. The old space that only grows is what a leak looks like.',
      unit: 'bytes',
      width: 12,
      isStacked: true,
      queries: [
        {
          expr: sumBy('v8js_heap_space_name', chosen('v8js_memory_heap_used')),
          legend: '{{v8js_heap_space_name}}',
        },
      ],
    }),
    lines({
      title: 'Time in garbage collection',
      description: 'Share of the time in which nothing else was done.',
      unit: 'percentunit',
      width: 12,
      queries: [{ expr: rateBy('pod', chosen('v8js_gc_duration_sum')), ...byPod }],
    }),
    lines({
      title: 'Garbage collections, by kind',
      description: 'A second. minor: of young objects, short. major: of all, long.',
      unit: 'cps',
      width: 12,
      isStacked: true,
      queries: [
        {
          expr: rateBy('v8js_gc_type', chosen('v8js_gc_duration_count')),
          legend: '{{v8js_gc_type}}',
        },
      ],
    }),
  ],
}

/** The processes themselves: event loop, memory, CPU. */
export function runtime(): Dashboard {
  return page({
    name: 'runtime',
    title: 'Roomcast: processes',
    description: 'CPU, memory, event loop and garbage collection of the processes of a release.',
    pods: 'any',
    rows: [processes, eventLoop, heap],
  })
}
