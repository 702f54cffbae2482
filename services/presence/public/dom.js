const SVG = 'http://www.w3.org/2000/svg'

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

export function createSvg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag)
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value)
  element.append(...children)
  return element
}

/** Sets the text where it is another one: what stays the same is neither drawn nor read out again. */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text
}

/** Sets an attribute where it has another value. */
export function mark(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value)
}
