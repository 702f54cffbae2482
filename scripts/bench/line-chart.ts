import { COLOURS, escape, fixed, FONT, text } from './svg.ts'

/** Lines over time, and the moments at which something happened. */
export interface LineChart {
  readonly title: string
  /** What a reader who can not see it should know. */
  readonly description: string
  readonly lines: readonly Line[]
  readonly events: readonly { readonly seconds: number; readonly label: string }[]
  readonly unit: string
}

export interface Line {
  readonly name: string
  /** In order; a gap in which it was not there ends the line, and another point begins it anew. */
  readonly points: readonly { readonly seconds: number; readonly value: number }[]
}

const WIDTH = 720
const LEFT = 44
const RIGHT = 12
const TOP = 64
const HEIGHT = 240
/** One line of an event's label under the axis. */
const LABEL = 18
const AXIS = 34
/** Points further apart are not joined, in seconds. */
const GAP_SECONDS = 5
const STEPS_MAX = 5

/** The chart as SVG of fixed size, readable on light and dark pages; no scripts, no fonts of its own. */
export function drawLines({ title, description, lines, events, unit }: LineChart): string {
  const points = lines.flatMap((line) => line.points)
  const end = Math.max(1, ...points.map(({ seconds }) => seconds))
  const step = stepOf(Math.max(1, ...points.map(({ value }) => value)), STEPS_MAX)
  const most = step * Math.ceil(Math.max(1, ...points.map(({ value }) => value)) / step)
  const x = (seconds: number): number => LEFT + (seconds / end) * (WIDTH - LEFT - RIGHT)
  const y = (value: number): number => TOP + HEIGHT * (1 - value / most)
  const parts: string[] = []
  for (let value = 0; value <= most; value += step) {
    parts.push(
      `<path class="grid" d="M${LEFT} ${fixed(y(value))}H${WIDTH - RIGHT}"/>`,
      text('value', LEFT - 6, y(value) + 4, String(value), 'end'),
    )
  }
  const every = stepOf(end, 10)
  for (let seconds = 0; seconds <= end; seconds += every)
    parts.push(text('value', x(seconds), TOP + HEIGHT + 16, `${seconds} s`, 'middle'))
  for (const [i, { seconds, label }] of events.entries()) {
    const isLate = seconds > end / 2
    const place = TOP + HEIGHT + AXIS + LABEL * i
    parts.push(
      `<path class="event" d="M${fixed(x(seconds))} ${TOP}V${place}"/>`,
      text('value', x(seconds) + (isLate ? -5 : 5), place, label, isLate ? 'end' : 'start'),
    )
  }
  for (const [i, line] of lines.entries())
    parts.push(`<path class="line l${i % COLOURS.length}" d="${pathOf(line, x, y)}"/>`)
  let at = LEFT
  const legend = lines.map(({ name }, i) => {
    const mark = `<path class="line l${i % COLOURS.length}" d="M${at} 42h14"/>${text('value', at + 19, 46, name)}`
    at += 36 + name.length * 7
    return mark
  })
  const height = TOP + HEIGHT + AXIS + LABEL * events.length
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-labelledby="title description" font-family="${FONT}">
<title id="title">${escape(title)}</title>
<desc id="description">${escape(description)}</desc>
<style>
text{fill:#1f2937;font-size:12px}
.title{font-size:15px;font-weight:600}
.grid{stroke:#d1d5db}
.event{stroke:#6b7280;stroke-dasharray:3 3}
.line{fill:none;stroke-width:2}
${COLOURS.map(([light], i) => `.l${i}{stroke:${light}}`).join('\n')}
@media (prefers-color-scheme:dark){
text{fill:#e5e7eb}
.grid{stroke:#374151}
.event{stroke:#9ca3af}
${COLOURS.map(([, dark], i) => `.l${i}{stroke:${dark}}`).join('\n')}
}
</style>
${text('title', 10, 22, `${title} (${unit})`)}
${legend.join('\n')}
${parts.join('\n')}
</svg>
`
}

function pathOf(
  { points }: Line,
  x: (seconds: number) => number,
  y: (value: number) => number,
): string {
  return points
    .map(({ seconds, value }, i) => {
      const before = points[i - 1]
      const isJoined = before !== undefined && seconds - before.seconds <= GAP_SECONDS
      return `${isJoined ? 'L' : 'M'}${fixed(x(seconds))} ${fixed(y(value))}`
    })
    .join('')
}

/** A step of 1, 2 or 5 times a power of ten, of which at most so many reach the length. */
function stepOf(length: number, most: number): number {
  const least = length / most
  const power = 10 ** Math.floor(Math.log10(least))
  return power * ([1, 2, 5, 10].find((times) => times * power >= least) ?? 10)
}
