import { createComposer } from './composer.js'
import { openConnection } from './connection.js'
import { byId } from './dom.js'
import { createHistory } from './history.js'
import { refusalWords, t } from './language.js'
import { createMessagesView } from './messages-view.js'
import { createOutbox } from './outbox.js'
import { createPeople } from './people.js'
import { createScroll } from './scroll.js'
import { roomLink, shareLink } from './share.js'
import { createTimeline } from './timeline.js'
import { toast } from './toast.js'
import { currentToken } from './token.js'
import { createUnread } from './unread.js'

/** A moderator ended this visit. */
const ENDINGS = ['kicked', 'banned', 'revoked']

/**
 * One visit to one room: the connection feeds the timeline, through the history; the view shows the timeline.
 * `leave()` is called when the person leaves, `refused(words, code)` when the server does not let him in.
 */
export function openRoom({ room, name, leave, refused }) {
  const abort = new AbortController()
  const timeline = createTimeline()
  let self = { name }
  timeline.setSelf(name)
  const list = byId('messages')
  const unread = createUnread({ room, button: byId('latest') })
  let frame

  const connection = openConnection({
    room,
    username: name,
    on: {
      state: showState,
      joining: () => history.joining(),
      // The number of those online is in the message of this name, which comes in its place among the counts.
      joined({ username, offset, user, readOnly = false }) {
        self = { name: username, user }
        timeline.setSelf(username, user)
        composer.setReadOnly(readOnly)
        showBanner(undefined)
        void history.joined(offset)
        outbox.resume()
      },
      resumed() {
        void history.resumed()
        outbox.resume()
      },
      broken: () => history.broken(),
      message: receive,
      refused: (refusal) => refused(refusalWords(refusal), refusal.code),
      closed: () => showBanner(t('closedByServer')),
    },
  })
  const history = createHistory({
    ask: connection.ask,
    timeline,
    on: {
      added(entries) {
        const fromOthers = entries.filter(({ event, isOwn }) => event === 'broadcast_say' && !isOwn)
        unread.add(fromOthers.length, scroll.isFollowing)
      },
      changed,
    },
  })
  const outbox = createOutbox({ connection, timeline, changed })
  const people = createPeople({ ask: connection.ask, self: () => self })
  const view = createMessagesView({
    list,
    timeline,
    on: { toggled: changed, retry: (id) => outbox.retry(id), discard: (id) => outbox.discard(id) },
  })
  const scroll = createScroll({
    scroller: byId('scroller'),
    list,
    on: {
      top: loadEarlier,
      bottom: loadLater,
      moved: () => unread.update(scroll.isFollowing),
      isEnd: () => !history.isDetached,
    },
  })
  const composer = createComposer({
    say(text) {
      outbox.say(text)
      void showLatest()
    },
  })

  function receive(message, offset) {
    switch (message?.event) {
      case 'join':
      case 'broadcast_say':
      case 'broadcast_quit':
      case 'kicked':
      case 'banned':
      case 'deleted':
      case 'cleared':
        history.live(message, offset)
        break
      case 'joined':
      case 'count':
        showOnline(message.data.online)
        people.changed()
        break
      case 'error':
        if (ENDINGS.includes(message.data.code)) {
          refused(refusalWords(message.data), message.data.code)
        } else {
          toast(refusalWords(message.data))
        }
        break
    }
  }

  function loadEarlier() {
    // A list that is full and still short (collapsed notices) would be filled and trimmed for ever.
    const wouldTrim = scroll.isFollowing && history.isFull
    if (connection.isMember && !wouldTrim) void history.loadEarlier()
  }

  function loadLater() {
    if (connection.isMember) void history.loadLater()
  }

  async function showLatest() {
    await history.jumpToLatest()
    scroll.toEnd()
  }

  /** Something to show: once a frame, or, in a hidden tab that has none, soon. */
  function changed() {
    frame ??= document.hidden ? setTimeout(render, 100) : requestAnimationFrame(render)
  }

  function render() {
    frame = undefined
    if (abort.signal.aborted) return
    history.trim(scroll.isFollowing)
    list.setAttribute('aria-busy', String(history.isFilling))
    scroll.keeping(() => {
      view.render()
      showEarlier()
      showEmpty()
    })
    unread.update(scroll.isFollowing)
    // What was loaded may not even fill the window, and then nothing scrolls.
    if (history.earlier === 'more' && scroll.isNearTop) loadEarlier()
    if (history.isDetached && scroll.isNearEnd) loadLater()
  }

  function showEarlier() {
    const { earlier, isLoaded } = history
    const isLoading = !isLoaded || earlier === 'loading'
    byId('earlier').dataset.earlier = isLoading ? 'loading' : earlier
    byId('load-earlier').hidden = isLoading || !['more', 'failed'].includes(earlier)
    const words = {
      loading: 'loadingMessages',
      failed: 'historyFailed',
      beginning: 'beginning',
      trimmed: 'trimmed',
    }
    const key = words[isLoading ? 'loading' : earlier]
    byId('earlier-words').textContent = key ? t(key) : ''
  }

  function showEmpty() {
    const entries = [...timeline.logged, ...timeline.waiting]
    const isEmpty = history.isLoaded && !entries.some(({ event }) => event === 'broadcast_say')
    byId('empty').hidden = !isEmpty || history.earlier === 'more'
  }

  function showState(state) {
    byId('state').dataset.state = state
    byId('state-words').textContent = t(state)
  }

  function showOnline(online) {
    const element = byId('online')
    if (online === undefined) delete element.dataset.online
    else element.dataset.online = online
    element.textContent = online === undefined ? t('onlineUnknown') : t('online', { n: online })
  }

  function showBanner(words) {
    byId('banner').hidden = words === undefined
    byId('banner-words').textContent = words ?? ''
  }

  function onClick(id, action) {
    byId(id).addEventListener('click', action, { signal: abort.signal })
  }
  onClick('leave', leave)
  onClick('share', () => void shareLink(roomLink(room)))
  onClick('share-empty', () => void shareLink(roomLink(room)))
  onClick('load-earlier', () => connection.isMember && void history.loadEarlier())
  onClick('connect-again', () => {
    showBanner(undefined)
    connection.reopen()
  })
  onClick('latest', () => void showLatest())

  byId('online').title = t('whoIsHere')
  byId('room-name').textContent = room
  byId('room-name').title = room
  showOnline(undefined)
  showBanner(undefined)
  byId('chat').hidden = false
  changed()
  if (matchMedia('(pointer: fine)').matches) composer.focus()

  return {
    /** Goes on with a new token. One that is refused changes nothing: the old one still counts. */
    async refresh() {
      try {
        const { readOnly = false } = await connection.ask('refresh', { token: currentToken() })
        composer.setReadOnly(readOnly)
      } catch (refused) {
        // Without a connection the next one presents it.
        if (refused.code !== 'disconnected') toast(refusalWords(refused))
      }
    },
    close() {
      abort.abort()
      connection.close()
      outbox.close()
      composer.close()
      scroll.close()
      view.close()
      unread.close()
      people.close()
      byId('chat').hidden = true
    },
  }
}
