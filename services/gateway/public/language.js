import { STRINGS } from './strings.js'

const chosen =
  navigator.languages.map((tag) => tag.split('-')[0]).find((tag) => tag in STRINGS) ?? 'en'
const words = STRINGS[chosen]
const plural = new Intl.PluralRules(chosen)
const numbers = new Intl.NumberFormat(chosen)

/** For `lang` attributes and Intl: the visitor's own variant of the language (en-GB, zh-TW) when he has one. */
export const locale = navigator.languages.find((tag) => tag.split('-')[0] === chosen) ?? chosen
/** The language that the words are in. */
export const lang = chosen === 'zh' ? 'zh-Hans' : chosen

/** The words for a key in the visitor's language. */
export function t(key, values = {}) {
  const entry = words[key]
  const text = typeof entry === 'object' ? (entry[plural.select(values.n)] ?? entry.other) : entry
  return text.replace(/\{(\w+)\}/g, (_, name) => {
    const value = values[name]
    return typeof value === 'number' ? numbers.format(value) : value
  })
}

/** Words for what a server refused. Its own message is English and names the field, so it serves where no code says enough. */
export function refusalWords({ code, message }) {
  return `code_${code}` in words
    ? t(`code_${code}`)
    : t('refusedWith', { message: message || code })
}

/** Puts words into the static elements: `data-t` (text), `data-t-label` (aria-label and tooltip), `data-t-placeholder`. */
export function translate(root) {
  for (const element of root.querySelectorAll('[data-t]'))
    element.textContent = t(element.dataset.t)
  for (const element of root.querySelectorAll('[data-t-label]')) {
    const label = t(element.dataset.tLabel)
    element.setAttribute('aria-label', label)
    if (element.matches('button')) element.title = label
  }
  for (const element of root.querySelectorAll('[data-t-placeholder]')) {
    element.placeholder = t(element.dataset.tPlaceholder)
  }
}
