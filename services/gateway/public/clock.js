import { locale, t } from './language.js'

const time = new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit' })
const full = new Intl.DateTimeFormat(locale, { dateStyle: 'full', timeStyle: 'medium' })
const day = new Intl.DateTimeFormat(locale, { weekday: 'long', day: 'numeric', month: 'long' })
const dayOfYear = new Intl.DateTimeFormat(locale, {
  day: 'numeric',
  month: 'long',
  year: 'numeric',
})

export function timeWords(ts) {
  return time.format(ts)
}

export function fullWords(ts) {
  return full.format(ts)
}

/** The calendar day of a moment where the visitor is, as a number that grows. */
export function dayOf(ts) {
  const date = new Date(ts)
  return (date.getFullYear() * 12 + date.getMonth()) * 31 + date.getDate()
}

export function dayWords(ts, now) {
  if (dayOf(ts) === dayOf(now)) return t('today')
  const yesterday = new Date(now)
  yesterday.setDate(yesterday.getDate() - 1)
  if (dayOf(ts) === dayOf(yesterday)) return t('yesterday')
  const isThisYear = new Date(ts).getFullYear() === new Date(now).getFullYear()
  return (isThisYear ? day : dayOfYear).format(ts)
}
