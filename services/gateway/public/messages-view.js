import { createMessageItem } from './message-item.js'
import { createDayItem, createGapItem, createNoticeItem, createSummaryItem } from './notice-item.js'
import { rowsOf } from './rows.js'

const ITEMS = {
  message: createMessageItem,
  notice: createNoticeItem,
  summary: createSummaryItem,
  day: createDayItem,
  gap: createGapItem,
}

/** Keeps the children of the list equal to the timeline, each kept as one element as long as its key is there. */
export function createMessagesView({ list, timeline, on }) {
  let items = new Map()
  const open = new Set()

  function onClick(event) {
    const button = event.target.closest('button[data-action]')
    const item = button?.closest('li')
    if (!item) return
    const { action } = button.dataset
    if (action === 'toggle') {
      if (!open.delete(item.dataset.run)) open.add(item.dataset.run)
      on.toggled()
    } else {
      on[action](item.dataset.id)
    }
  }
  list.addEventListener('click', onClick)

  return {
    render() {
      const rows = rowsOf([...timeline.logged, ...timeline.waiting], open)
      const next = new Map()
      for (const row of rows) next.set(row.key, items.get(row.key) ?? ITEMS[row.type](row))
      for (const [key, { element }] of items) {
        if (next.has(key)) continue
        element.remove()
        open.delete(key)
      }
      items = next
      let cursor = list.firstElementChild
      for (const row of rows) {
        const { element, update } = items.get(row.key)
        update(row)
        if (element === cursor) cursor = cursor.nextElementSibling
        else list.insertBefore(element, cursor)
      }
    },
    close() {
      list.removeEventListener('click', onClick)
      list.replaceChildren()
    },
  }
}
