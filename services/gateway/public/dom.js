/** The element with this id; the page is broken without it, so a missing one is an error here and not somewhere later. */
export function byId(id) {
  const element = document.getElementById(id)
  if (element === null) throw new Error(`no #${id} in the page`)
  return element
}

/** A new element with a class and children. Strings become text, never markup. */
export function create(tag, className = '', ...children) {
  const element = document.createElement(tag)
  if (className !== '') element.className = className
  element.append(...children)
  return element
}

/** One of the drawings at the end of index.html. */
export function icon(name) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg')
  svg.setAttribute('class', 'icon')
  svg.setAttribute('aria-hidden', 'true')
  const use = document.createElementNS('http://www.w3.org/2000/svg', 'use')
  use.setAttribute('href', `#icon-${name}`)
  svg.append(use)
  return svg
}
