/**
 * Keeps the page as high as what is really visible. Browsers that lay the on-screen keyboard over the page (iOS) don't
 * change `dvh` for it; the visual viewport knows.
 */
export function followViewport() {
  const viewport = window.visualViewport
  if (!viewport) return
  const update = () => {
    const isKeyboard = viewport.scale === 1 && window.innerHeight - viewport.height > 80
    const { style } = document.documentElement
    if (isKeyboard) style.setProperty('--app-height', `${viewport.height}px`)
    else style.removeProperty('--app-height')
    if (isKeyboard) window.scrollTo(0, 0)
  }
  viewport.addEventListener('resize', update)
  viewport.addEventListener('scroll', update)
}
