import { STRINGS } from './strings.js'

const chosen =
  navigator.languages.map((tag) => tag.split('-')[0]).find((tag) => tag in STRINGS) ?? 'en'
const words = STRINGS[chosen]
const plural = new Intl.PluralRules(chosen)

/** For Intl: the visitor's own variant of the language (en-GB, zh-TW) when he has one. */
export const locale = navigator.languages.find((tag) => tag.split('-')[0] === chosen) ?? chosen
/** The language that the words are in, for `lang` attributes. */
export const lang = chosen === 'zh' ? 'zh-Hans' : chosen

const numbers = new Intl.NumberFormat(locale, { maximumFractionDigits: 1 })

export function numberWords(n) {
  return numbers.format(n)
}

/** The words for a key in the visitor's language. */
export function t(key, values = {}) {
  const entry = words[key]
  const text = typeof entry === 'object' ? (entry[plural.select(values.n)] ?? entry.other) : entry
  return text.replace(/\{(\w+)\}/g, (_, name) => {
    const value = values[name]
    return typeof value === 'number' ? numberWords(value) : value
  })
}

/** Puts words into the static elements: `data-t` (text), `data-t-label` (aria-label), `data-t-title`, `data-t-placeholder`. */
export function translate(root) {
  for (const element of root.querySelectorAll('[data-t]'))
    element.textContent = t(element.dataset.t)
  for (const element of root.querySelectorAll('[data-t-label]'))
    element.setAttribute('aria-label', t(element.dataset.tLabel))
  for (const element of root.querySelectorAll('[data-t-title]'))
    element.title = t(element.dataset.tTitle)
  for (const element of root.querySelectorAll('[data-t-placeholder]'))
    element.placeholder = t(element.dataset.tPlaceholder)
}
