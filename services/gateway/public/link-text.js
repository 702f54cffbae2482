import { create } from './dom.js'

const URL_START = /https?:\/\/[^\s<>"“”「」『』，。；：！？、（）【】《》]+/giu
/** What ends a sentence rather than an address. */
const TRAILING = /[.,;:!?'*_~]+$/

/** Text as DOM nodes, with its http and https addresses as links. Only nodes: whatever the text holds stays text. */
export function linkText(text) {
  const fragment = document.createDocumentFragment()
  let end = 0
  for (const match of text.matchAll(URL_START)) {
    const address = withoutTail(match[0])
    if (!isHttp(address)) continue
    fragment.append(text.slice(end, match.index), link(address))
    end = match.index + address.length
  }
  fragment.append(text.slice(end))
  return fragment
}

function link(address) {
  const anchor = create('a', '', address)
  anchor.href = address
  anchor.target = '_blank'
  anchor.rel = 'noopener noreferrer nofollow'
  return anchor
}

/** The address without the punctuation of the sentence around it; a closing bracket stays when the address opened it. */
function withoutTail(address) {
  let rest = address.replace(TRAILING, '')
  for (const [open, close] of ['()', '[]', '{}']) {
    while (rest.endsWith(close) && count(rest, close) > count(rest, open)) {
      rest = rest.slice(0, -1).replace(TRAILING, '')
    }
  }
  return rest
}

function count(text, char) {
  return text.split(char).length - 1
}

function isHttp(address) {
  try {
    return ['http:', 'https:'].includes(new URL(address).protocol)
  } catch {
    // Not an address after all: it is shown as the text that it is.
    return false
  }
}
