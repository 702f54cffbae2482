import { byId } from './dom.js'
import { t } from './language.js'
import { toast } from './toast.js'

export function roomLink(room) {
  const link = new URL(location.origin + location.pathname)
  link.searchParams.set('room', room)
  return link.href
}

/** Hands the link over in the best way that this browser has: its share sheet on a phone, the clipboard, or a field to copy from. */
export async function shareLink(link) {
  const isPhone = matchMedia('(pointer: coarse)').matches
  if (isPhone && navigator.share) {
    try {
      await navigator.share({ title: 'Roomcast', url: link })
    } catch {
      // The person closed the share sheet.
    }
    return
  }
  try {
    // Absent on a plain http origin.
    await navigator.clipboard.writeText(link)
    toast(t('linkCopied'))
  } catch {
    showLink(link)
  }
}

function showLink(link) {
  const dialog = byId('link')
  const field = byId('link-field')
  field.value = link
  byId('link-close').addEventListener('click', () => dialog.close(), { once: true })
  dialog.showModal()
  field.select()
}
