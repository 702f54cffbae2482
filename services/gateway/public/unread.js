import { create, icon } from './dom.js'
import { t } from './language.js'

/** What came while nobody looked: in the tab's title when it is hidden, on the button when the list is scrolled up. */
export function createUnread({ room, button }) {
  let hidden = 0
  let below = 0

  function showTitle() {
    document.title = `${hidden > 0 ? `(${hidden}) ` : ''}${room} · Roomcast`
  }

  function onVisibility() {
    if (document.hidden) return
    hidden = 0
    showTitle()
  }

  document.addEventListener('visibilitychange', onVisibility)
  showTitle()

  return {
    /** `count` new messages of others. */
    add(count, isFollowing) {
      if (document.hidden) hidden += count
      if (!isFollowing) below += count
      if (count > 0) showTitle()
    },
    /** After the list moved or changed. */
    update(isAtEnd) {
      if (isAtEnd) below = 0
      button.hidden = isAtEnd
      const words = below > 0 ? t('newMessages', { n: below }) : ''
      if (button.dataset.words === words && button.childElementCount > 0) return
      button.dataset.words = words
      button.setAttribute('aria-label', words || t('toLatest'))
      button.classList.toggle('counting', words !== '')
      button.replaceChildren(...(words ? [create('span', '', words)] : []), icon('down'))
    },
    close() {
      document.removeEventListener('visibilitychange', onVisibility)
      document.title = 'Roomcast'
    },
  }
}
