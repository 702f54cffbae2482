/** Nearer to the end than this counts as at the end. */
const BOTTOM_PX = 60
/** Nearer to the beginning than this is asking for earlier messages. */
const TOP_PX = 400

/**
 * The place in the list: at the end it follows new messages; elsewhere what the person reads stays where it is,
 * whatever comes or goes above (`overflow-anchor` would do it, but not in every browser). `on.isEnd()` says whether the
 * list's end is the room's.
 */
export function createScroll({ scroller, list, on }) {
  let isFollowing = true
  let lastTop = 0
  let lastHeight = scroller.clientHeight

  function onScroll() {
    const top = scroller.scrollTop
    // The box changed, not the person's mind.
    if (scroller.clientHeight !== lastHeight && isFollowing) return
    const isNearEnd = isAtEnd()
    // Only the way up lets go: a smooth scroll down is on its way through the middle.
    if (isNearEnd) isFollowing = on.isEnd()
    else if (top < lastTop) isFollowing = false
    lastTop = top
    if (isNearEnd) on.bottom()
    if (top < TOP_PX) on.top()
    on.moved()
  }

  function isAtEnd() {
    return scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < BOTTOM_PX
  }

  function toEnd(behavior = 'instant') {
    isFollowing = true
    scroller.scrollTo({ top: scroller.scrollHeight, behavior })
    lastTop = scroller.scrollTop
  }

  function firstVisible() {
    const { top } = scroller.getBoundingClientRect()
    for (const item of list.children) {
      const box = item.getBoundingClientRect()
      if (box.height > 0 && box.bottom > top) return { item, y: box.top }
    }
    return undefined
  }

  // An on-screen keyboard, a growing composer, a rotated phone.
  const resized = new ResizeObserver(() => {
    lastHeight = scroller.clientHeight
    if (isFollowing) toEnd()
  })
  resized.observe(scroller)
  scroller.addEventListener('scroll', onScroll, { passive: true })

  return {
    get isFollowing() {
      return isFollowing
    },
    get isNearEnd() {
      return isAtEnd()
    },
    get isNearTop() {
      return scroller.scrollTop < TOP_PX
    },
    /** Runs a change of the list. */
    keeping(change) {
      const anchor = isFollowing ? undefined : firstVisible()
      change()
      if (isFollowing) {
        toEnd()
      } else if (anchor?.item.isConnected) {
        scroller.scrollTop += anchor.item.getBoundingClientRect().top - anchor.y
        lastTop = scroller.scrollTop
      }
    },
    toEnd() {
      const isCalm = matchMedia('(prefers-reduced-motion: reduce)').matches
      const isFar = scroller.scrollHeight - scroller.scrollTop > 4 * scroller.clientHeight
      toEnd(isCalm || isFar ? 'instant' : 'smooth')
    },
    close() {
      resized.disconnect()
      scroller.removeEventListener('scroll', onScroll)
    },
  }
}
