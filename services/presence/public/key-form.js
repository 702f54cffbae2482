import { byId, write } from './dom.js'
import { t } from './language.js'

/** The form that asks for an API key. `enter(key)` gets what was entered. */
export function createKeyForm({ enter }) {
  const entry = byId('entry')
  const field = byId('key')

  function blame(words) {
    write(byId('key-fault'), words)
    field.setAttribute('aria-invalid', String(words !== ''))
  }

  byId('key-form').addEventListener('submit', (event) => {
    event.preventDefault()
    const key = field.value.trim()
    // A header takes no other characters; no key has them.
    if (key === '') blame(t('keyMissing'))
    else if (!/^[\x21-\x7e]+$/.test(key)) blame(t('keyRefused'))
    else {
      blame('')
      enter(key)
      return
    }
    field.focus()
  })

  return {
    /** @param {{isRefused: boolean}} why Whether the key that was there did not open. */
    show({ isRefused }) {
      entry.hidden = false
      blame(isRefused ? t('keyRefused') : '')
      field.value = ''
      field.focus()
    },
    hide() {
      entry.hidden = true
    },
  }
}
