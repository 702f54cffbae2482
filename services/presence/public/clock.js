import { locale } from './language.js'

const minutes = new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit' })
const seconds = new Intl.DateTimeFormat(locale, {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
})
const UNITS = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
  ['second', 1_000],
]
const words = Object.fromEntries(
  UNITS.map(([unit]) => [
    unit,
    new Intl.NumberFormat(locale, { style: 'unit', unit, unitDisplay: 'short' }),
  ]),
)

export function minuteWords(ms) {
  return minutes.format(ms)
}

export function secondWords(ms) {
  return seconds.format(ms)
}

/** A length of time by its two largest units, without seconds once there are minutes. */
export function durationWords(ms) {
  const from = UNITS.findIndex(([, unitMs]) => ms >= unitMs)
  if (from === -1) return words.second.format(0)
  const shown = UNITS.slice(from, from + 2).filter(([unit], i) => i === 0 || unit !== 'second')
  let rest = ms
  const parts = []
  for (const [unit, unitMs] of shown) {
    const count = Math.floor(rest / unitMs)
    rest -= count * unitMs
    if (count > 0) parts.push(words[unit].format(count))
  }
  return parts.join(' ')
}
