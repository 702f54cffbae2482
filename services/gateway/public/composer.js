import { byId } from './dom.js'
import { t } from './language.js'
import { TEXT_MAX_BYTES, utf8Length, wellFormed } from './limits.js'

/** From this share of the limit on, what is left is shown. */
const NEAR = 0.8
const MAX_HEIGHT_PX = 180

/** Where a message is written. `say(text)` gets a text that the protocol allows. */
export function createComposer({ say }) {
  const form = byId('composer')
  const field = byId('text')
  const button = byId('send')
  const counter = byId('counter')
  const alert = byId('text-fault')
  const abort = new AbortController()
  let isReadOnly = false
  const listen = { signal: abort.signal }

  function text() {
    return wellFormed(field.value).replace(/^(?:[^\S\n]*\n)+|\s+$/g, '')
  }

  function update() {
    const bytes = utf8Length(text())
    const left = TEXT_MAX_BYTES - bytes
    const isOver = left < 0
    button.disabled = bytes === 0 || isOver || isReadOnly
    counter.hidden = bytes < TEXT_MAX_BYTES * NEAR
    counter.textContent = isOver ? t('bytesOver', { n: -left }) : t('bytesLeft', { n: left })
    form.classList.toggle('over', isOver)
    field.setAttribute('aria-invalid', String(isOver))
    if (!isOver) alert.textContent = ''
    fit()
  }

  /** As high as its text. The form keeps its height while it is measured, or the list above would move. */
  function fit() {
    form.style.minHeight = `${form.offsetHeight}px`
    field.style.height = 'auto'
    field.style.height = `${Math.min(field.scrollHeight, MAX_HEIGHT_PX)}px`
    form.style.minHeight = ''
  }

  function send() {
    const ready = text()
    const bytes = utf8Length(ready)
    if (bytes === 0 || isReadOnly) return
    if (bytes > TEXT_MAX_BYTES) {
      alert.textContent = t('textLong', { bytes, max: TEXT_MAX_BYTES })
      return
    }
    field.value = ''
    update()
    field.focus()
    say(ready)
  }

  form.addEventListener(
    'submit',
    (event) => {
      event.preventDefault()
      send()
    },
    listen,
  )
  field.addEventListener('input', update, listen)
  field.addEventListener(
    'keydown',
    (event) => {
      // 229: Safari ends a composition before the Enter that confirmed it.
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing || event.keyCode === 229)
        return
      event.preventDefault()
      send()
    },
    listen,
  )
  update()

  return {
    focus() {
      field.focus()
    },
    /** In a room that may be read alone there is nothing to write. */
    setReadOnly(readOnly) {
      isReadOnly = readOnly
      field.disabled = readOnly
      field.placeholder = t(readOnly ? 'readOnly' : 'textPlaceholder')
      update()
    },
    close() {
      abort.abort()
      field.value = ''
      field.disabled = false
      field.placeholder = t('textPlaceholder')
      isReadOnly = false
      update()
    },
  }
}
