import { create } from './dom.js'

const HUES = 12
const segmenter = 'Segmenter' in Intl ? new Intl.Segmenter() : undefined

/** The class for a name's colour: the same name has the same colour everywhere (FNV-1a). Classes, because the CSP allows no style attributes. */
export function hueClass(name) {
  let hash = 0x811c9dc5
  for (let at = 0; at < name.length; at++) {
    hash = Math.imul(hash ^ name.charCodeAt(at), 0x01000193)
  }
  return `hue-${(hash >>> 0) % HUES}`
}

/** One letter for 张三 or Bob, two for Ada Lovelace; a whole emoji, not half of one. */
export function initials(name) {
  const parts = name.split(/[\s._-]+/u).filter((part) => /[\p{L}\p{N}]/u.test(part))
  const letters = parts.length > 1 ? [parts[0], parts.at(-1)] : [parts[0] ?? name]
  return letters.map((part) => firstLetter(part).toLocaleUpperCase()).join('')
}

function firstLetter(text) {
  const start = text.match(/[\p{L}\p{N}]/u)?.index ?? 0
  const rest = text.slice(start)
  return segmenter?.segment(rest)[Symbol.iterator]().next().value?.segment ?? [...rest][0] ?? ''
}

export function avatar(name) {
  const element = create('span', `avatar ${hueClass(name)}`, initials(name))
  element.setAttribute('aria-hidden', 'true')
  return element
}
