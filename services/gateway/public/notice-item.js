import { dayWords, fullWords, timeWords } from './clock.js'
import { create } from './dom.js'
import { t } from './language.js'

const WORDS = {
  join: 'joined',
  broadcast_quit: 'left',
  kicked: 'kickedNotice',
  banned: 'bannedNotice',
  cleared: 'clearedNotice',
}

/** The list item for a join or a quit, or for what a moderator did. */
export function createNoticeItem({ entry }) {
  const [before, after] = t(WORDS[entry.event], { name: '\0' }).split('\0')
  const who = after === undefined ? [] : [create('bdi', 'who', entry.author), after]
  const why = entry.text ? [': ', create('bdi', '', entry.text)] : []
  const element = create('li', 'notice', before, ...who, ...why)
  element.dataset.event = entry.event
  element.dataset.offset = entry.offset
  if (entry.ts !== undefined) {
    const time = create('time', '', timeWords(entry.ts))
    time.dateTime = new Date(entry.ts).toISOString()
    time.title = fullWords(entry.ts)
    element.append(' ', time)
  }
  return {
    element,
    update({ isHidden }) {
      element.hidden = isHidden
    },
  }
}

/** The line that stands for many joins and quits in a row, and shows them when asked to. */
export function createSummaryItem({ key }) {
  const button = create('button', 'text-button')
  button.type = 'button'
  button.dataset.action = 'toggle'
  const element = create('li', 'summary', button)
  element.dataset.run = key
  return {
    element,
    update({ joined, left, isOpen }) {
      const counts = [
        joined > 0 && t('joinedCount', { n: joined }),
        left > 0 && t('leftCount', { n: left }),
      ]
      const words = counts.filter(Boolean).join(' · ')
      if (button.textContent !== words) button.textContent = words
      button.setAttribute('aria-expanded', String(isOpen))
    },
  }
}

export function createDayItem({ ts }) {
  const words = create('span')
  const element = create('li', 'day', words)
  element.setAttribute('role', 'separator')
  return {
    element,
    // Again each time: what is today becomes yesterday while the page is open.
    update() {
      const text = dayWords(ts, Date.now())
      if (words.textContent !== text) words.textContent = text
    },
  }
}

export function createGapItem() {
  return { element: create('li', 'gap', create('span', '', t('gap'))), update() {} }
}
