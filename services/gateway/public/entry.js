import { byId } from './dom.js'
import { t } from './language.js'
import { parseName, parseRoom } from './limits.js'
import { roomLink, shareLink } from './share.js'
import { keepToken, nameInToken } from './token.js'

/** The form for room and name. `enter({room, name})` gets what the protocol allows. */
export function createEntry({ enter }) {
  const form = byId('enter')
  const { room, name, token } = form.elements
  const faults = { room: byId('room-fault'), name: byId('name-fault') }
  const refusal = byId('refusal')
  const link = byId('room-link')
  let isChecked = false

  function check(field, parse) {
    const parsed = parse(field.value)
    const words = parsed.fault && isChecked ? t(parsed.fault, parsed.values) : ''
    faults[field.name].textContent = words
    field.setAttribute('aria-invalid', String(words !== ''))
    return parsed.value
  }

  function update() {
    const roomId = check(room, parseRoom)
    check(name, parseName)
    byId('room-link-line').hidden = roomId === undefined
    if (roomId === undefined) return
    link.href = roomLink(roomId)
    // For people: without the escapes of other scripts than Latin.
    link.textContent = `${location.host}${location.pathname}?room=${roomId}`
  }

  form.addEventListener('submit', (event) => {
    event.preventDefault()
    isChecked = true
    refusal.textContent = ''
    update()
    const visit = { room: parseRoom(room.value).value, name: parseName(name.value).value }
    if (visit.room === undefined) room.focus()
    else if (visit.name === undefined) name.focus()
    else {
      // What was refused goes; an empty field leaves it as it is.
      if (token.value.trim() !== '') keepToken(token.value.trim())
      token.value = ''
      enter({ ...visit, name: nameInToken() ?? visit.name })
    }
  })
  form.addEventListener('input', update)
  byId('copy-room-link').addEventListener('click', () => void shareLink(link.href))

  return {
    write(visit) {
      room.value = visit.room ?? ''
      name.value = visit.name ?? ''
      update()
    },
    /** Shows the form, with the words for why a room was not entered, and with a field for a token when that was missing. */
    show(words = '', { needsToken = false } = {}) {
      isChecked = false
      byId('token-field').hidden = !needsToken
      // Whose the token is, it says itself.
      name.readOnly = nameInToken() !== undefined
      update()
      refusal.textContent = words
      byId('entry').hidden = false
      if (needsToken) token.focus()
      else if (words !== '' || !room.value) room.focus()
      else name.focus()
    },
    hide() {
      byId('entry').hidden = true
    },
  }
}
