import { minuteWords, secondWords } from './clock.js'
import { byId, create, mark, write } from './dom.js'
import { locale, numberWords, t } from './language.js'
import { MEASURES } from './series.js'

const RANGES = ['5m', '2h', '24h']
/** How often the words about the chart follow it, in milliseconds: a screen reader is not to be told a new story each second. */
const WORDS_INTERVAL_MS = 5_000
const FONT = '12px system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif'

const compact = new Intl.NumberFormat(locale, { notation: 'compact', maximumFractionDigits: 1 })

/** The course of one total. `choose(range)` is told which time the visitor wants to see. */
export function createChart({ choose }) {
  const holder = byId('plot')
  const dark = matchMedia('(prefers-color-scheme: dark)')
  let plot
  let shown
  /** The point under the pointer. */
  let pointed
  let wordsFor
  let wordsAt = 0

  const ranges = RANGES.map((range) => {
    const button = create('button', 'range', t(`range_${range}`))
    button.type = 'button'
    button.dataset.range = range
    button.addEventListener('click', () => choose(range))
    return button
  })
  byId('ranges').append(...ranges)

  function build() {
    plot?.destroy()
    plot = new window.uPlot(
      optionsOf(holder, () => shown, point),
      [[], []],
      holder,
    )
  }

  function point(index) {
    pointed = index ?? undefined
    if (shown) readOut()
  }

  function draw() {
    const { series, measure, nowMs } = shown
    if (!plot || !series.isLoaded) return
    plot.batch(() => {
      plot.setData([series.times(), series.points(measure)], false)
      plot.setScale('x', { min: (nowMs - series.shownMs) / 1_000, max: nowMs / 1_000 })
    })
  }

  function readOut() {
    const { series, measure } = shown
    if (!series.isLoaded) return
    const value = pointed === undefined ? undefined : series.points(measure)[pointed]
    const extremes = series.extremes(measure)
    const words =
      value !== undefined && value !== null
        ? t('moment', { time: secondWords(series.times()[pointed] * 1_000), n: value })
        : extremes
          ? t('extremes', extremes)
          : ''
    write(byId('readout'), words)
  }

  /** What a screen reader has in place of the drawing. */
  function tell() {
    const { cluster, series, measure } = shown
    if (!series.isLoaded) return
    const { range } = series
    const key = `${measure} ${range}`
    if (wordsFor === key && performance.now() - wordsAt < WORDS_INTERVAL_MS) return
    wordsFor = key
    wordsAt = performance.now()
    const last = t(`last_${range}`)
    const named = { measure: t(measure), range: last, now: cluster.stats[measure] }
    const extremes = series.extremes(measure)
    mark(
      holder,
      'aria-label',
      extremes ? t('chartLabel', { ...named, ...extremes }) : t('chartEmpty', named),
    )
    const summary = byId('summary')
    write(summary.caption, last)
    summary.tBodies[0].replaceChildren(
      ...MEASURES.map((measure) => {
        const head = create('th', '', t(measure))
        head.scope = 'row'
        const { low, high } = series.extremes(measure) ?? {}
        const cells = [cluster.stats[measure], low, high].map((value) =>
          value === undefined ? '–' : numberWords(value),
        )
        return create('tr', '', head, ...cells.map((words) => create('td', '', words)))
      }),
    )
  }

  if (typeof window.uPlot === 'function') {
    build()
    dark.addEventListener('change', () => {
      build()
      if (shown) draw()
    })
    new ResizeObserver(() => {
      const { clientWidth: width, clientHeight: height } = holder
      if (width > 0 && (width !== plot.width || height !== plot.height))
        plot.setSize({ width, height })
    }).observe(holder)
  } else {
    holder.append(create('p', 'nothing', t('noChart')))
  }

  return {
    update(show) {
      shown = show
      write(byId('chart-title'), t(show.measure))
      for (const button of ranges)
        mark(button, 'aria-pressed', String(button.dataset.range === show.range))
      draw()
      readOut()
      tell()
    },
  }
}

/** As uPlot takes them: https://github.com/leeoniya/uPlot. Colours are those of the page at this moment. */
function optionsOf(holder, shown, point) {
  const style = getComputedStyle(document.documentElement)
  const colour = (name) => style.getPropertyValue(`--${name}`).trim()
  const axis = {
    stroke: colour('ink-soft'),
    font: FONT,
    ticks: { show: false },
    grid: { stroke: colour('line'), width: 1 },
  }
  return {
    width: holder.clientWidth || 300,
    height: holder.clientHeight || 200,
    padding: [10, 12, 0, 0],
    legend: { show: false },
    cursor: {
      y: false,
      drag: { x: false, y: false, setScale: false },
      points: { size: 9, width: 2, stroke: colour('accent'), fill: colour('surface') },
    },
    scales: {
      x: { time: true, auto: false },
      // From zero: half the height is half the number.
      y: { range: (_plot, _min, max) => [0, Math.max(4, Math.ceil((max ?? 0) * 1.12))] },
    },
    axes: [
      {
        ...axis,
        size: 28,
        gap: 8,
        space: 72,
        grid: { show: false },
        values: (_plot, seconds, _axis, _space, step) =>
          seconds.map((at) => (step < 60 ? secondWords : minuteWords)(at * 1_000)),
        incrs: [15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600],
      },
      {
        ...axis,
        size: 52,
        space: 44,
        incrs: [1, 2, 5]
          .flatMap((n) => Array.from({ length: 9 }, (_, i) => n * 10 ** i))
          .sort((a, b) => a - b),
        values: (_plot, numbers) =>
          numbers.map((n) => (n < 10_000 ? numberWords(n) : compact.format(n))),
      },
    ],
    series: [
      {},
      {
        stroke: colour('accent'),
        width: 2,
        fill: colour('accent-fill'),
        points: {
          show: (_plot, _series, from, to) => to - from < 2,
          size: 6,
          fill: colour('accent'),
        },
      },
    ],
    hooks: {
      setCursor: [({ cursor }) => point(shown() && cursor.left >= 0 ? cursor.idx : undefined)],
    },
  }
}
