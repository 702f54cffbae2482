import { createSvg, mark } from './dom.js'

const WIDTH = 100
const HEIGHT = 28

/** A small line of a series, for the eye alone. */
export function createSparkline() {
  const area = createSvg('path', { class: 'spark-area' })
  const line = createSvg('path', { class: 'spark-line' })
  const element = createSvg(
    'svg',
    {
      class: 'spark',
      viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
      preserveAspectRatio: 'none',
      'aria-hidden': 'true',
    },
    area,
    line,
  )
  return {
    element,
    /** `size` is how many points fill the width; fewer are drawn at its end. */
    update(points, size) {
      const high = Math.max(1, ...points.filter((value) => value !== null))
      const stretches = []
      let stretch
      for (const [i, value] of points.entries()) {
        if (value === null) {
          stretch = undefined
          continue
        }
        if (stretch === undefined) stretches.push((stretch = []))
        const x = (WIDTH * (size - points.length + i)) / (size - 1)
        const y = HEIGHT - 1 - (HEIGHT - 3) * (value / high)
        stretch.push(`${x.toFixed(2)} ${y.toFixed(2)}`)
      }
      mark(line, 'd', stretches.map((points) => `M${points.join('L')}`).join(''))
      mark(
        area,
        'd',
        stretches
          .map((points) => {
            const [first] = points[0].split(' ')
            const [last] = points.at(-1).split(' ')
            return `M${first} ${HEIGHT}L${points.join('L')}L${last} ${HEIGHT}Z`
          })
          .join(''),
      )
    },
  }
}
