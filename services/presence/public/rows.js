/**
 * Keeps the children of an element equal to a list: rows of the same key stay the same elements, so that focus, selection and
 * transitions survive. `create(item)` returns `{element, update(item)}`.
 */
export function createRows(parent, { keyOf, create }) {
  const rows = new Map()
  return {
    show(items) {
      const keys = new Set(items.map(keyOf))
      for (const [key, { element }] of rows) {
        if (keys.has(key)) continue
        element.remove()
        rows.delete(key)
      }
      for (const [i, item] of items.entries()) {
        const key = keyOf(item)
        const row = rows.get(key) ?? create(item)
        rows.set(key, row)
        row.update(item)
        if (parent.children[i] !== row.element)
          parent.insertBefore(row.element, parent.children[i] ?? null)
      }
    },
  }
}
