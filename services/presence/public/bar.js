import { create } from './dom.js'

/** A bar of one or more parts side by side, for the eye alone: the numbers are beside it. */
export function createBar(...classes) {
  const parts = classes.map((name) => create('span', `part ${name}`))
  const element = create('span', 'bar-track', ...parts)
  element.setAttribute('aria-hidden', 'true')
  return {
    element,
    /** Each part's value, and the one that fills the whole bar. */
    update(values, whole) {
      for (const [i, part] of parts.entries()) {
        const share = whole === 0 ? 0 : (100 * values[i]) / whole
        // Something is never nothing.
        part.style.width = share === 0 ? '0' : `max(2px, ${share.toFixed(2)}%)`
      }
    },
  }
}
