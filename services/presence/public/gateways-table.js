import { createBar } from './bar.js'
import { durationWords } from './clock.js'
import { byId, create, mark, write } from './dom.js'
import { numberWords, t } from './language.js'
import { createRows } from './rows.js'

/** Rows that are shown before someone asks for all. */
const FOLDED = 12
/** Characters at the end of a name that are always shown: what tells the Pods of one Deployment apart. */
const NAME_END = 11
/** What needs a look comes first, and is never folded away behind what does not. */
const ORDER = ['silent', 'not_reporting', 'draining', 'ready']

/** Every gateway with its state and its share of the connections. */
export function createGatewaysTable() {
  const body = byId('gateways').tBodies[0]
  const all = byId('all-gateways')
  const rows = createRows(body, { keyOf: ({ gateway }) => gateway.instance, create: createRow })
  let isOpen = false
  let draw = () => undefined

  all.addEventListener('click', () => {
    isOpen = !isOpen
    draw()
  })

  return {
    update({ cluster }) {
      draw = () => {
        const gateways = cluster.gateways.sort(
          (a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state),
        )
        const whole = Math.max(0, ...gateways.map(connectionsOf))
        // Bars end where the widest number begins, so that they can be compared.
        body.style.setProperty('--count-width', `${numberWords(whole).length}ch`)
        const hasVersions = new Set(gateways.map(({ version }) => version)).size > 1
        const nowMs = cluster.now()
        const shown = isOpen ? gateways : gateways.slice(0, FOLDED)
        rows.show(shown.map((gateway) => ({ gateway, whole, hasVersions, nowMs })))
        byId('no-gateways').hidden = gateways.length > 0
        all.hidden = gateways.length <= FOLDED
        mark(all, 'aria-expanded', String(isOpen))
        write(all, isOpen ? t('fewerGateways') : t('allGateways', { n: gateways.length }))
      }
      draw()
    },
  }
}

function connectionsOf({ connections }) {
  return connections.websocket + connections.polling
}

function createRow() {
  const cell = (tag, role, name, ...children) => {
    const element = create(tag, name, ...children)
    element.setAttribute('role', role)
    return element
  }
  const nameStart = create('span', 'name-start')
  const nameEnd = create('span', 'name-end')
  const head = cell('th', 'rowheader', 'gateway-name', nameStart, nameEnd)
  head.scope = 'row'
  const words = create('span')
  const state = cell('td', 'cell', 'gateway-state', create('span', 'dot'), words)
  const count = create('span', 'gateway-count')
  const bar = createBar('websocket', 'polling')
  const connections = cell('td', 'cell', 'gateway-connections', count, bar.element)
  const members = cell('td', 'cell', 'detail')
  const rooms = cell('td', 'cell', 'detail')
  const up = cell('td', 'cell', 'detail')
  const element = cell('tr', 'row', 'gateway', head, state, connections, members, rooms, up)

  return {
    element,
    update({ gateway, whole, hasVersions, nowMs }) {
      mark(element, 'data-state', gateway.state)
      element.dataset.pod = gateway.pod
      write(nameStart, gateway.pod.slice(0, -NAME_END))
      write(nameEnd, gateway.pod.slice(-NAME_END))
      head.title = `${gateway.pod} ${gateway.address}`
      write(words, t(`state_${gateway.state}`))
      write(count, numberWords(connectionsOf(gateway)))
      bar.update([gateway.connections.websocket, gateway.connections.polling], whole)
      write(members, t('membersCount', { n: gateway.members }))
      write(rooms, t('roomsCount', { n: gateway.rooms }))
      const time = durationWords(Math.max(0, nowMs - gateway.startedAt))
      const version = hasVersions && gateway.version !== '' ? ` · ${gateway.version}` : ''
      write(up, `${t('up', { time })}${version}`)
    },
  }
}
