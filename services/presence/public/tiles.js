import { byId, create, mark, write } from './dom.js'
import { numberWords, t } from './language.js'
import { MEASURES } from './series.js'
import { createSparkline } from './sparkline.js'

/** The four totals. Each is a button that puts its course into the chart; `choose(measure)` is told. */
export function createTiles({ choose }) {
  const tiles = MEASURES.map((measure) => {
    const value = create('span', 'tile-value', '–')
    const note = create('span', 'tile-note soft')
    const spark = createSparkline()
    const element = create(
      'button',
      'tile',
      create('span', 'tile-name', t(measure)),
      value,
      note,
      spark.element,
    )
    element.type = 'button'
    element.dataset.measure = measure
    element.addEventListener('click', () => choose(measure))
    return { measure, element, value, note, spark }
  })
  byId('tiles').append(...tiles.map(({ element }) => element))

  return {
    update({ cluster, series, measure: chosen }) {
      const notes = notesOf(cluster)
      for (const { measure, element, value, note, spark } of tiles) {
        mark(element, 'aria-pressed', String(measure === chosen))
        write(value, numberWords(cluster.stats[measure]))
        write(note, notes[measure])
        if (series.isLoaded) spark.update(series.points(measure), series.shownPoints)
      }
      const isTroubled = cluster.gateways.some(({ state }) => state !== 'ready')
      tiles.at(-1).note.classList.toggle('troubled', isTroubled)
    },
  }
}

function notesOf({ stats, rooms, gateways }) {
  const ready = gateways.filter(({ state }) => state === 'ready').length
  const total = gateways.length
  const largest = rooms.rooms[0]?.online ?? 0
  return {
    connections: t('byTransport', stats.transports),
    members:
      stats.rooms === 0 ? t('noneYet') : t('perRoom', { average: stats.members / stats.rooms }),
    rooms: largest === 0 ? t('noneYet') : t('largestRoom', { n: largest }),
    gateways:
      total === 0
        ? t('noneYet')
        : ready === total
          ? t('allReady')
          : t('someReady', { ready, total }),
  }
}
