import { createBar } from './bar.js'
import { byId, create, write } from './dom.js'
import { numberWords, t } from './language.js'
import { createRoomSearch } from './room-search.js'
import { createRows } from './rows.js'

/** The busiest rooms, or those that were searched for. */
export function createRoomsTable() {
  const rows = createRows(byId('rooms').tBodies[0], {
    keyOf: ({ room }) => room.room,
    create: createRow,
  })
  let busiest = { rooms: [], total: 0 }
  let found

  function draw() {
    const { rooms, total } = found ?? busiest
    const whole = Math.max(0, ...rooms.map(({ online }) => online))
    rows.show(rooms.map((room) => ({ room, whole })))
    const isAll = rooms.length === total
    write(byId('rooms-count'), isAll ? '' : t('roomsShown', { shown: rooms.length, n: total }))
    const words = found?.hasFailed
      ? t('searchFailed')
      : rooms.length > 0
        ? ''
        : found
          ? t('noMatch', { search: found.search })
          : t('noRooms')
    write(byId('no-rooms'), words)
    byId('no-rooms').hidden = words === ''
    byId('rooms').hidden = rooms.length === 0
  }

  createRoomSearch(byId('search'), {
    onFound(result) {
      found = result
      draw()
    },
  })

  return {
    update({ cluster }) {
      busiest = cluster.rooms
      draw()
    },
  }
}

function createRow() {
  const name = create('bdi', 'two-lines')
  const head = create('th', 'room-name', name)
  head.scope = 'row'
  const bar = createBar('members')
  const online = create('span')
  const members = create('td', 'number room-members', bar.element, online)
  const users = create('td', 'number')
  const gateways = create('td', 'number')
  const element = create('tr', 'room', head, members, users, gateways)
  return {
    element,
    update({ room, whole }) {
      write(name, room.room)
      head.title = room.room
      element.dataset.room = room.room
      write(online, numberWords(room.online))
      bar.update([room.online], whole)
      write(users, numberWords(room.users))
      write(gateways, numberWords(room.gateways))
    },
  }
}
