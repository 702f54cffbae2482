import { createChart } from './chart.js'
import { durationWords, secondWords } from './clock.js'
import { createCluster } from './cluster.js'
import { byId, mark, write } from './dom.js'
import { followEvents } from './events.js'
import { createGatewaysTable } from './gateways-table.js'
import { createKeyForm } from './key-form.js'
import { hasKey, keyHeaders, setKey } from './key.js'
import { lang, t, translate } from './language.js'
import { createRoomsTable } from './rooms-table.js'
import { createSeries } from './series.js'
import { createTiles } from './tiles.js'

/** How often the page follows the clock, in milliseconds. */
const TICK_MS = 1_000
/** How long a break lasts before the page speaks of it in full, in milliseconds: a replica that is replaced is back before. */
const BREAK_WORDS_MS = 2_000

document.documentElement.lang = lang
document.title = t('pageTitle')
translate(document)

const cluster = createCluster()
const series = createSeries()
let state = 'connecting'
let fault
/** When the connection was lost, on the replica's clock. */
let lostMs
let measure = 'connections'
let range = '5m'
let historyTurn = 0
let isDrawn = true

const keyForm = createKeyForm({
  enter(key) {
    setKey(key)
    begin()
  },
})
const tiles = createTiles({
  choose(chosen) {
    measure = chosen
    draw()
  },
})
const chart = createChart({
  choose(chosen) {
    range = chosen
    void loadHistory()
    draw()
  },
})
const gatewaysTable = createGatewaysTable()
const roomsTable = createRoomsTable()
let events

function begin() {
  events?.close()
  state = 'connecting'
  fault = undefined
  events = followEvents({
    state(view) {
      state = 'live'
      fault = undefined
      cluster.begin(view)
      openDashboard()
      void loadHistory()
      record()
      draw()
    },
    change(change) {
      cluster.change(change)
      record()
      draw()
    },
    broken(code) {
      if (state === 'live') lostMs = cluster.now()
      state = cluster.isKnown ? 'reconnecting' : 'connecting'
      fault = code
      openDashboard()
      draw()
    },
    unauthorized() {
      const isRefused = hasKey()
      setKey(undefined)
      askForKey({ isRefused })
    },
  })
}

function openDashboard() {
  keyForm.hide()
  byId('dashboard').hidden = false
  byId('forget-key').hidden = !hasKey()
}

function askForKey(why) {
  events?.close()
  byId('dashboard').hidden = true
  keyForm.show(why)
}

byId('forget-key').addEventListener('click', () => {
  setKey(undefined)
  askForKey({ isRefused: false })
})

/** What the replica remembers of the chosen range. Without it the page goes on with what it has: the stream tells of every trouble. */
async function loadHistory() {
  const mine = ++historyTurn
  const chosen = range
  try {
    const response = await fetch(`/v1/history?range=${chosen}`, {
      headers: keyHeaders(),
      cache: 'no-store',
    })
    if (!response.ok || mine !== historyTurn) return
    const view = await response.json()
    if (mine !== historyTurn) return
    series.load(view)
    record()
    draw()
  } catch {
    // Loaded again when the stream is back.
  }
}

function record() {
  if (state === 'live' && cluster.stats.complete) series.add(cluster.now(), cluster.stats)
}

/** Draws once, however many changes came since the last time. */
function draw() {
  if (!isDrawn) return
  isDrawn = false
  requestAnimationFrame(() => {
    isDrawn = true
    drawState()
    if (!cluster.isKnown) return
    const shown = { cluster, series, measure, range, nowMs: cluster.now() }
    tiles.update(shown)
    chart.update(shown)
    gatewaysTable.update(shown)
    roomsTable.update(shown)
  })
}

function drawState() {
  mark(byId('state'), 'data-state', state)
  write(byId('state-words'), t(state))
  byId('dashboard').classList.toggle('stale', state !== 'live')
  write(byId('banner'), bannerWords())
  byId('banner').hidden = bannerWords() === ''
  if (!cluster.isKnown) return
  const { name, version, startedAt, open } = cluster.replica
  byId('open-notice').hidden = !open
  const time = durationWords(Math.max(0, cluster.now() - startedAt))
  write(byId('replica'), t('replicaLine', { name, version, time }))
  const total = cluster.gateways.length
  const ready = cluster.gateways.filter(({ state }) => state === 'ready').length
  // Read out when it changes: the one piece of news that should reach who does not look.
  write(byId('news'), total === 0 ? t('noGateways') : t('gatewayNews', { ready, total }))
}

function bannerWords() {
  if (fault === 'busy') return t('busy')
  if (state === 'reconnecting' && cluster.now() - lostMs > BREAK_WORDS_MS)
    return t('stale', { time: secondWords(lostMs) })
  return cluster.isKnown && !cluster.stats.complete ? t('incomplete') : ''
}

setInterval(() => {
  if (!cluster.isKnown || byId('dashboard').hidden) return
  record()
  draw()
}, TICK_MS)

begin()
