import { byId } from './dom.js'

const SHOWN_MS = 3_000
let timer

/** Words that need no answer, for a moment. */
export function toast(words) {
  const element = byId('toast')
  element.textContent = words
  element.classList.add('shown')
  clearTimeout(timer)
  timer = setTimeout(() => {
    element.classList.remove('shown')
    element.textContent = ''
  }, SHOWN_MS)
}
