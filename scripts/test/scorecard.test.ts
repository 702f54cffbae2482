import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from '@jest/globals'
import { mostInASecond } from '../../test/e2e/support/slope.ts'
import { drawLines } from '../bench/line-chart.ts'
import { autoscalingChart } from '../scorecard/autoscaling.ts'
import { scorecard } from '../scorecard/page.ts'
import { addResults, readResults, type ResultRow } from '../scorecard/result.ts'
import type { Section } from '../scorecard/sections.ts'

const SECTION: Section = {
  title: 'Chaos',
  file: 'results/chaos.json',
  command: 'npm run chaos',
  rows: { kills: 'kills', stops: 'stops' },
}
const KILLS: ResultRow = {
  id: 'kills',
  what: 'kills of 3',
  measured: 'a | b',
  target: 'none lost',
  isMet: false,
}

it('a row without a result says that it was not run, and nothing is called met that was not', () => {
  const page = scorecard([SECTION], new Map([[SECTION.file, { rows: [KILLS] }]]))
  expect(page).toContain(String.raw`| kills of 3 | none lost | a \| b | **missed** |  |`)
  expect(page).toContain('| stops |  |  | not run |  |')
  expect(page).toContain('0 met, 1 missed, 1 not run.')
  expect(scorecard([SECTION], new Map())).toContain('0 met, 0 missed, 2 not run.')
})

it('a run replaces its own results in a file and leaves those of others, each with the machine that it had', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'roomcast-results-'))
  try {
    const file = join(folder, 'results.json')
    await addResults(file, [KILLS, { ...KILLS, id: 'stops' }])
    await addResults(file, [{ ...KILLS, isMet: true }])
    const { rows } = await readResults(file)
    expect(rows.map(({ id, isMet }) => [id, isMet])).toEqual([
      ['kills', true],
      ['stops', false],
    ])
    expect(rows[0]).toMatchObject({ machine: { node: process.version }, day: expect.any(String) })
  } finally {
    await rm(folder, { recursive: true })
  }
})

it('the picture of autoscaling has a line for each gateway, as long as that was there', () => {
  const chart = autoscalingChart({
    samples: [
      { seconds: 0, connections: { a: 10 } },
      { seconds: 1, connections: { a: 6, b: 4 } },
      { seconds: 2, connections: { b: 10 } },
    ],
    events: [{ seconds: 1, label: 'b <came>' }],
  })
  expect(chart.lines.map(({ points }) => points.map(({ value }) => value))).toEqual([
    [10, 6],
    [4, 10],
  ])
  const svg = drawLines(chart)
  expect(svg.match(/<path class="line l\d" d="M[^"]*L/g)).toHaveLength(2)
  expect(svg).toContain('b &lt;came&gt;')
})

it.each([
  [[], 0],
  [[5], 1],
  [[0, 999, 1_000, 1_998], 3],
  [[3_000, 0, 1_000, 2_000], 1],
])('the most of %j within a second are %d', (times, most) => {
  expect(mostInASecond(times)).toBe(most)
})
