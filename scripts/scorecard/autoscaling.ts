import { z } from 'zod'
import type { LineChart } from '../bench/line-chart.ts'

/** What the scenario of autoscaling writes (`E2E_SAMPLES`). */
export const Samples = z.object({
  samples: z.array(
    z.object({ seconds: z.number(), connections: z.record(z.string(), z.number()) }),
  ),
  events: z.array(z.object({ seconds: z.number(), label: z.string() })),
})

/** The connections of each gateway over the run, in the order in which they came. */
export function autoscalingChart({ samples, events }: z.infer<typeof Samples>): LineChart {
  const pods = [...new Set(samples.flatMap(({ connections }) => Object.keys(connections)))]
  const lines = pods.map((pod, i) => ({
    name: `gateway ${i + 1}`,
    points: samples.flatMap(({ seconds, connections }) => {
      const value = connections[pod]
      return value === undefined ? [] : [{ seconds, value }]
    }),
  }))
  const sentences = lines.map(({ name, points }) => {
    const first = points[0]
    const last = points.at(-1)
    return `${name}: from ${first?.seconds} s with ${first?.value} to ${last?.seconds} s with ${last?.value}, ${Math.max(...points.map(({ value }) => value))} at most.`
  })
  return {
    title: 'Autoscaling: connections of each gateway',
    description: sentences.join(' '),
    lines,
    events: events.map(({ seconds, label }) => ({ seconds, label })),
    unit: 'connections over seconds',
  }
}
