import { avatar } from './avatar.js'
import { fullWords, timeWords } from './clock.js'
import { byId, create } from './dom.js'
import { t } from './language.js'

/** Names that are shown; of a room with more people only the number is. */
const PEOPLE_MAX = 200
/** The least time between two looks while the panel is open. The server allows one a second. */
const LOOK_INTERVAL_MS = 2_000

/**
 * The panel that says who is in the room, as of when it was opened and of each `changed()` while it is. `ask` asks the server, `self()` is
 * the visitor: `{name, user}`, the user where the server tells users apart.
 */
export function createPeople({ ask, self }) {
  const dialog = byId('people')
  const abort = new AbortController()
  let looks = 0
  let isLooking = false
  let isStale = false
  let timer

  async function look() {
    isLooking = true
    isStale = false
    const turn = ++looks
    const isCurrent = () => turn === looks && dialog.open
    try {
      const answer = await ask('members', { limit: PEOPLE_MAX })
      if (isCurrent()) show(answer)
    } catch {
      // A server that is busy or away: the next change, or opening it again, looks anew.
      if (isCurrent()) showWords(t('peopleFailed'))
    }
    if (turn !== looks) return
    timer = setTimeout(() => {
      isLooking = false
      if (isStale && dialog.open) void look()
    }, LOOK_INTERVAL_MS)
  }

  function show({ users, members }) {
    if (members === undefined) {
      byId('people-list').replaceChildren()
      showWords(t('peopleMany', { n: users }))
      return
    }
    showWords('')
    byId('people-list').replaceChildren(...members.map(createPerson))
  }

  function createPerson({ name, user, since, connections }) {
    const time = create('time', '', t('since', { time: timeWords(since) }))
    time.dateTime = new Date(since).toISOString()
    time.title = fullWords(since)
    const details = create('span', 'details', time)
    if (connections > 1) details.append(` · ${t('connections', { n: connections })}`)
    const who = create('bdi', 'who', name)
    const label = create('span', 'person', who)
    const own = self()
    const isOwn = own.user === undefined ? name === own.name : user === own.user
    if (isOwn) label.append(' ', create('span', 'you', t('you')))
    label.append(details)
    return create('li', '', avatar(name), label)
  }

  function showWords(words) {
    byId('people-words').textContent = words
    byId('people-words').hidden = words === ''
  }

  function open() {
    showWords(t('peopleLoading'))
    byId('people-list').replaceChildren()
    dialog.showModal()
    clearTimeout(timer)
    void look()
  }

  function listen(element, event, action) {
    element.addEventListener(event, action, { signal: abort.signal })
  }
  listen(byId('online'), 'click', open)
  listen(byId('people-close'), 'click', () => dialog.close())
  // What is beside the panel is the dialog itself.
  listen(dialog, 'click', ({ target }) => target === dialog && dialog.close())

  return {
    changed() {
      if (!dialog.open) return
      if (isLooking) isStale = true
      else void look()
    },
    close() {
      looks++
      clearTimeout(timer)
      abort.abort()
      dialog.close()
    },
  }
}
