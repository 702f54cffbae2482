import { dayOf } from './clock.js'

/** Messages of one sender closer than this stand together under his name once. */
const GROUP_MS = 5 * 60_000
/** Joins and quits in a row from which only the last is shown, under a line that counts them. */
const COLLAPSE_FROM = 4

/**
 * @typedef {object} Row What one child of the list shows.
 * @property {string} key
 * @property {'message' | 'notice' | 'summary' | 'day' | 'gap'} type
 * @property {import('./timeline.js').Entry} [entry] Of a message or notice.
 * @property {boolean} [isFirst] A message: first of its group.
 * @property {boolean} [isLast]
 * @property {boolean} [isHidden] A notice: counted by the summary above it.
 * @property {boolean} [isOpen] A summary: its notices are shown.
 * @property {number} [joined] A summary's counts.
 * @property {number} [left]
 * @property {number} [ts] A day: a moment of it.
 */

/**
 * The rows for entries in order.
 * @param {import('./timeline.js').Entry[]} all
 * @param {Set<string>} open Keys of the summaries that the person opened.
 * @returns {Row[]}
 */
export function rowsOf(all, open) {
  const entries = all.filter(({ event }) => event !== 'deleted')
  const rows = []
  let lastDay = -Infinity
  for (let at = 0; at < entries.length; at++) {
    const entry = entries[at]
    if (entry.ts !== undefined && dayOf(entry.ts) > lastDay) {
      lastDay = dayOf(entry.ts)
      rows.push({ key: `day/${entry.key}`, type: 'day', ts: entry.ts })
    }
    if (entry.event === 'gap') {
      rows.push({ key: entry.key, type: 'gap' })
    } else if (entry.event === 'broadcast_say') {
      const isFirst = !isGrouped(entries[at - 1], entry)
      const isLast = !isGrouped(entry, entries[at + 1])
      rows.push({ key: entry.key, type: 'message', entry, isFirst, isLast })
    } else if (!isNotice(entry)) {
      rows.push({ key: entry.key, type: 'notice', entry, isHidden: false })
    } else {
      const run = noticesFrom(entries, at, lastDay)
      rows.push(...noticeRows(run, open))
      at += run.length - 1
    }
  }
  return rows
}

function isGrouped(before, after) {
  return (
    before?.event === 'broadcast_say' &&
    after?.event === 'broadcast_say' &&
    before.author === after.author &&
    before.isOwn === after.isOwn &&
    Math.abs(after.ts - before.ts) < GROUP_MS &&
    dayOf(before.ts) === dayOf(after.ts)
  )
}

function isNotice(entry) {
  return entry?.event === 'join' || entry?.event === 'broadcast_quit'
}

function noticesFrom(entries, start, day) {
  let end = start + 1
  while (isNotice(entries[end]) && !(dayOf(entries[end].ts) > day)) end++
  return entries.slice(start, end)
}

function noticeRows(run, open) {
  if (run.length < COLLAPSE_FROM) {
    return run.map((entry) => ({ key: entry.key, type: 'notice', entry, isHidden: false }))
  }
  const key = `run/${run[0].key}`
  const isOpen = open.has(key)
  const joined = run.filter(({ event }) => event === 'join').length
  return [
    { key, type: 'summary', joined, left: run.length - joined, isOpen },
    ...run.map((entry, at) => ({
      key: entry.key,
      type: 'notice',
      entry,
      isHidden: !isOpen && at < run.length - 1,
    })),
  ]
}
