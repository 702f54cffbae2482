import { createEntry } from './entry.js'
import { lang, t, translate } from './language.js'
import { parseName, parseRoom } from './limits.js'
import { entered, lastVisit, markEntered, rememberVisit } from './memory.js'
import { openRoom } from './room.js'
import { roomLink } from './share.js'
import { hasTokenInAddress, nameInToken, takeToken } from './token.js'
import { followViewport } from './viewport.js'

document.documentElement.lang = lang
translate(document)
followViewport()

/** Refusals that another token may mend. */
const TOKEN_CODES = ['unauthorized', 'forbidden', 'token_expired']

let open
const entry = createEntry({ enter: (visit) => enter(visit, { isNewStep: true }) })

/** @param {{isNewStep: boolean}} how Whether the browser's back button leads back to the form. */
function enter(visit, { isNewStep }) {
  if (typeof window.io !== 'function') {
    entry.show(t('noClient'))
    return
  }
  rememberVisit(visit)
  markEntered(visit)
  // The name stays out of the address: people copy it from there to invite others.
  const address = roomLink(visit.room)
  if (isNewStep) window.history.pushState(visit, '', address)
  else window.history.replaceState(visit, '', address)
  entry.hide()
  open?.close()
  open = openRoom({
    ...visit,
    leave: () => toEntry(visit),
    refused: (words, code) => toEntry(visit, words, { needsToken: TOKEN_CODES.includes(code) }),
  })
}

function toEntry(visit, words, how) {
  // Or the back button would lead through every attempt.
  window.history.replaceState(null, '')
  open?.close()
  open = undefined
  markEntered(undefined)
  entry.write(visit)
  entry.show(words, how)
}

addEventListener('popstate', ({ state }) => {
  // A new fragment is a step as well.
  if (hasTokenInAddress()) return
  if (state?.room && state.name) enter(state, { isNewStep: false })
  else if (open) toEntry(lastVisit() ?? {})
})

// Whoever embeds the page renews its token by the fragment.
addEventListener('hashchange', () => {
  if (!takeToken()) return
  window.history.replaceState(entered() ?? null, '')
  void open?.refresh()
})

/** Room and name from the address, then from the last visit. Straight into the room when the address says both, or after a reload. */
function begin() {
  takeToken()
  const query = new URLSearchParams(location.search)
  const asked = query.get('room') ?? query.get('roomid')
  const here = entered()
  const isReload = here !== undefined && (asked === null || asked === here.room)
  const room = asked ?? here?.room ?? lastVisit()?.room ?? ''
  const name = nameInToken() ?? query.get('name') ?? here?.name ?? lastVisit()?.name ?? ''
  entry.write({ room, name })
  const visit = { room: parseRoom(room).value, name: parseName(name).value }
  const isAsked = asked !== null && (query.has('name') || nameInToken() !== undefined)
  if ((isAsked || isReload) && visit.room && visit.name) enter(visit, { isNewStep: false })
  else entry.show()
}

begin()
