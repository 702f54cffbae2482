import { avatar, hueClass } from './avatar.js'
import { fullWords, timeWords } from './clock.js'
import { create, icon } from './dom.js'
import { t } from './language.js'
import { linkText } from './link-text.js'

const LONG_CHARS = 1_200
const LONG_LINES = 16

const GLYPHS = { pending: 'clock', sent: 'check', failed: 'alert' }

/** The list item of one message. `update` changes only what changed, so that a selection and the focus survive. */
export function createMessageItem({ entry }) {
  const author = create('bdi', `author ${hueClass(entry.author)}`, entry.author)
  const text = create('div', 'text')
  const time = create('time')
  const status = create('span', 'status')
  const bubble = create('div', 'bubble', author, text, create('span', 'meta', time, status))
  const element = create('li', '', avatar(entry.author), bubble)
  element.setAttribute('role', 'article')
  text.dir = 'auto'

  let shownText
  let shownTs
  let shownState
  let extras = []

  function showText() {
    shownText = entry.text
    text.replaceChildren(entry.isDeleted ? t('deleted') : linkText(entry.text))
    const isLong =
      !entry.isDeleted &&
      (entry.text.length > LONG_CHARS || entry.text.split('\n').length > LONG_LINES)
    text.classList.toggle('long', isLong)
    bubble.querySelector('.more')?.remove()
    if (isLong) text.after(moreButton(text))
  }

  function showTime() {
    shownTs = entry.ts
    time.dateTime = new Date(entry.ts).toISOString()
    time.title = fullWords(entry.ts)
    time.textContent = timeWords(entry.ts)
  }

  function showState() {
    shownState = `${entry.state} ${entry.note}`
    for (const extra of extras) extra.remove()
    extras = []
    if (!entry.isOwn) return
    status.replaceChildren(icon(GLYPHS[entry.state]), create('span', 'sr-only', t(entry.state)))
    status.title = t(entry.state)
    if (entry.note) extras.push(create('p', 'note', entry.note))
    if (entry.state === 'failed') {
      extras.push(
        create(
          'p',
          'actions',
          actionButton('retry', 'tryAgain'),
          actionButton('discard', 'discard'),
        ),
      )
    }
    element.append(...extras)
  }

  return {
    element,
    update({ isFirst, isLast }) {
      const classes = [
        'message',
        entry.isOwn && 'own',
        entry.isDeleted && 'deleted',
        isFirst && 'first',
        isLast && 'last',
      ]
      element.className = classes.filter(Boolean).join(' ')
      element.dataset.own = entry.isOwn
      element.dataset.state = entry.state
      if (entry.offset !== undefined) element.dataset.offset = entry.offset
      if (entry.id !== undefined) element.dataset.id = entry.id
      if (shownText !== entry.text) showText()
      if (shownTs !== entry.ts && entry.ts !== undefined) showTime()
      if (shownState !== `${entry.state} ${entry.note}`) showState()
    },
  }
}

function moreButton(text) {
  const button = create('button', 'more', t('more'))
  button.type = 'button'
  button.setAttribute('aria-expanded', 'false')
  button.addEventListener('click', () => {
    const isOpen = text.classList.toggle('open')
    button.textContent = t(isOpen ? 'less' : 'more')
    button.setAttribute('aria-expanded', String(isOpen))
  })
  return button
}

function actionButton(action, words) {
  const button = create('button', `text-button ${action}`, t(words))
  button.type = 'button'
  button.dataset.action = action
  return button
}
